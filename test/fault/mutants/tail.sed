# What cannot be read in the area in force stays.
# file: src/store/log.c
# run: --only 0,12 --pairs 0 0
s/stable = stable && (is_blank || s->health.fault);//
