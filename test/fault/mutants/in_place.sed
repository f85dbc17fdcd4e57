# Records are rewritten in place: the area in force is the one erased.
# file: src/store/log.c
s/unsigned to = !s->area;/unsigned to = s->area;/
