# The next session's note gets the number that one which was cut short may have.
# file: src/store/journal.c
# run: --journal --pairs 0 13
s/j->number += j->number != 0;//
