# A record is written once.
# file: src/store/log.c
s/return err ? err : write_place(s, area, place + 1, bytes);/return err;/
