# cmake -DIN=file -DOUT=file.h -DNAME=name -P bytes.cmake: a file as a C array, aligned for machine
# code.
# SPDX-License-Identifier: Apache-2.0
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUT} "static const uint8_t ${NAME}[] __attribute__((aligned(16))) = {${bytes}};\n")
