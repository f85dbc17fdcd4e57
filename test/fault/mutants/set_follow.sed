# Members of a set that was committed are not made to follow at a start.
# file: src/device/device.c
# run: --plugin --states 300 --pairs 0 13
s/^    sm_dev_set_follow(d); \/\* before.*$//
