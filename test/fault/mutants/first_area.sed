# Only one area is erased before the first record of all.
# file: src/store/log.c
# run: --only 0 --pairs 0 0
s/s->copied == 0 ? erase_area(s, s->area) : 0;/0;/
