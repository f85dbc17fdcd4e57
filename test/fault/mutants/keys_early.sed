# A key set's record is put before its bytes are written.
# file: src/device/keys.c
# run: --keys --states 300 --pairs 0 0
s/err = write_area(d, area, bytes, (uint32_t)len);/err = put_set(d, set, sha, (uint32_t)len, area);\n    err = err ? err : write_area(d, area, bytes, (uint32_t)len);/
