# A plugin is removed though an application needs it.
# file: src/device/requires.c
# run: --plugin --states 300 --pairs 0 13
s/(removed || !met(r, m->sequence))/(!removed \&\& !met(r, m->sequence))/
