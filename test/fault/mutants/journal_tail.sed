# A session goes on behind the notes of the last one.
# file: src/store/journal.c
# run: --journal --pairs 0 13
s/^    j->block = .*/&\n    j->next = 192, j->fresh = true;/
