# cmake "-DTEXTS=name=file;..." -DOUT=file.c -P text.cmake: files as struct aot_text.
# SPDX-License-Identifier: Apache-2.0
set(out "#include \"text.h\"\n")
foreach(text ${TEXTS})
  string(REGEX MATCH "^([a-z0-9_]+)=(.*)$" _ "${text}")
  set(name ${CMAKE_MATCH_1})
  file(READ ${CMAKE_MATCH_2} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND out "static const unsigned char ${name}[] = {${bytes}};\n"
    "const struct aot_text aot_text_${name} = {(const char *)${name}, sizeof ${name}};\n")
endforeach()
file(WRITE ${OUT} "${out}")
