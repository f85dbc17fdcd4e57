# A statement from before the last one is believed.
# file: src/device/current.c
# run: --stated --states 100 --pairs 0 13
s/if (st->issued_s < d->stated_s)/if (false)/
