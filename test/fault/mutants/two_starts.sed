# A trial loses two starts at a time.
# file: src/device/device.c
s/^    next.boots_left--;/    next.boots_left = next.boots_left > 1 ? next.boots_left - 2 : 0;/
