# Writes the bytes of a file as numbers for a C array. SPDX-License-Identifier: Apache-2.0
file(READ ${IN} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," text ${hex})
file(WRITE ${OUT} "${text}\n")
