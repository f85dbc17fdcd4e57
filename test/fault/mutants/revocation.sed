# A key set's revocations are forgotten when power fails while they are carried out.
# file: src/device/keys.c
# run: --keys --states 300 --pairs 0 0
s/next.boots_left = stops_anything(set);/next.boots_left = 0;/
