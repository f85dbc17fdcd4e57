# A module is given up without an event.
# file: src/device/outcome.c
s/^    sm_dev_note(next, slot, SM_EVENT_ROLLED_BACK);//
