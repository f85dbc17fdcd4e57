# A trial's start is not paid for.
# file: src/device/device.c
s/^    next.boots_left--;//
