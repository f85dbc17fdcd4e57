# A record that only one pass of a mount could read leaves its number to the next.
# file: src/store/log.c
s/if (!err && r->seq >= s->next_seq)/if (!err \&\& s->generation == 0 \&\& r->seq >= s->next_seq)/
