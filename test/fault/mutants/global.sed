# Starts of a trial are counted in a C global.
# file: src/device/device.c
s/^    next.boots_left--;/    static uint8_t left = 3;\n    next.boots_left = left ? --left : 0;/
