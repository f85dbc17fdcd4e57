# cmake -DIN=file -DOUT=file.h -DNAME=name -P bytes.cmake: a file as a C array.
# SPDX-License-Identifier: Apache-2.0
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUT} "static const uint8_t ${NAME}[] = {${bytes}};\n")
