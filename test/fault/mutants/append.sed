# A session goes on behind the records of the last one.
# file: src/store/log.c
s/if ((!s->fresh || s->next + 2 > s->layout.places) && move(s) != 0)/if (s->next + 2 > s->layout.places \&\& move(s) != 0)/
