# A note without a seal counts like any other.
# file: src/store/journal.c
# run: --journal --pairs 0 13
s/if (e.number <= j->number || !is_sealed(j, b, off + e.size))/if (e.number <= j->number)/
