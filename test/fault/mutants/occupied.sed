# A download begins before a record has freed its slot.
# file: src/device/install.c
# run: --only 0 --states 1500 --pairs 0 0
s/^    return sm_dev_put(d, index, \&next);/    return d->store.records[index] = next, 0;/
