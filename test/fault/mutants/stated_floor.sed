# The time of a statement is not written down.
# file: src/device/current.c
# run: --stated --states 100 --pairs 0 13
s/next.floor = d->stated_s;//
