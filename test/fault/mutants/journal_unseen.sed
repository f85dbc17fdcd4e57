# A note that a mount passed over is shown to the server.
# file: src/store/journal.c
# run: --journal --pairs 0 13
s/ || e.number > j->number ||/ ||/
