# A removal leaves the module of before in its slot.
# file: src/device/install.c
# run: --plugin --states 300 --pairs 0 13
s/if (next->slot\[!slot\].state == SM_SLOT_COMMITTED)/if (false)/
