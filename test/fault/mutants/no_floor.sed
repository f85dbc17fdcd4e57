# The return to the module before does not look at the floor.
# file: src/device/outcome.c
# run: --only 0,1,10 --states 1500 --pairs 0 0
s/r->slot\[slot\].sequence >= r->floor;/true;/
