# Each change of a record takes its events for reported.
# file: src/device/outcome.c
s/next->slot\[i\].unreported &= ~acked(d, index, i);/next->slot[i].unreported = 0;/
