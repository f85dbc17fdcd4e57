# A set is committed when its leader is healthy.
# file: src/device/device.c
# run: --plugin --states 60 --pairs 0 13
s/if (!all_healthy(d, leader))/if (index != leader)/
