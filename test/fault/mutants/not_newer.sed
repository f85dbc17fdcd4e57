# An update may be older than what is committed.
# file: src/device/install.c
s/m->sequence <= r->slot\[r->active\].sequence)/false)/
