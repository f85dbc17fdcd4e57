# A new area does not count while its last copy does not read whole.
# file: src/store/log.c
# run: --only 0,2 --pairs 3000 0
s/place + 1 >= 2u \* v->copied)/place >= 2u * v->copied)/
