# A device is commissioned over a log that only reads as blank.
# file: src/device/keys.c
# run: --keys --states 1000 --pairs 0 13
s/record(d)->seq == 0 ? begin_log(d)/record(d)->seq == UINT64_MAX ? begin_log(d)/
