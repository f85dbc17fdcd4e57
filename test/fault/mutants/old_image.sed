# An image is made anew while the record counts on the old one.
# file: src/device/slot.c
# run: --only 0,12 --states 1000 --pairs 0 0
s/if (next.slot\[slot\].image_len != 0) {/if (false) {/
