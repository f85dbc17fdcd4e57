# The floor rises when a trial begins.
# file: src/device/install.c
s/next->trap_count = 0;/next->trap_count = 0, next->floor = s->floor > next->floor ? s->floor : next->floor;/
