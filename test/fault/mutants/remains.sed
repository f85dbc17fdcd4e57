# What is no record stays where no record is in force.
# file: src/store/log.c
# run: --keys --states 600 --pairs 0 0
s/: (v\[0\].dirty || v\[1\].dirty) && s->health.fault == 0;/: false;/
