# cmake -DGUEST=guest -DOUT=templates.c -P templates.cmake: the files of `sandmote new` as C arrays,
# from guest/templates and the SDKs, where each has its only copy.
# SPDX-License-Identifier: Apache-2.0
set(arrays "")
set(rows "")
set(count 0)

# Every file below `from` becomes one of `lang`, below `to` in the project; of plugins alone if `from`
# is theirs, and of modules alone if plugins have one of the same name.
function(embed lang from to)
  file(GLOB_RECURSE files LIST_DIRECTORIES false RELATIVE ${GUEST}/${from} ${GUEST}/${from}/*)
  foreach(name ${files})
    file(READ ${GUEST}/${from}/${name} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND arrays "static const uint8_t file_${count}[] = {${bytes}};\n")
    set(kinds "TEMPLATE_MODULE | TEMPLATE_PLUGIN")
    if(from MATCHES "^templates/plugin/")
      set(kinds TEMPLATE_PLUGIN)
    elseif(to STREQUAL "" AND (EXISTS ${GUEST}/templates/plugin/${lang}/${name} OR
                               EXISTS ${GUEST}/templates/plugin/common/${name}))
      set(kinds TEMPLATE_MODULE)
    endif()
    string(APPEND rows "    {\"${lang}\", ${kinds}, \"${to}${name}\", file_${count}, sizeof file_${count}},\n")
    math(EXPR count "${count} + 1")
  endforeach()
  set(arrays "${arrays}" PARENT_SCOPE)
  set(rows "${rows}" PARENT_SCOPE)
  set(count ${count} PARENT_SCOPE)
endfunction()

foreach(lang c rust as)
  embed(${lang} templates/common "")
  embed(${lang} templates/${lang} "")
  embed(${lang} templates/plugin/common "")
  embed(${lang} templates/plugin/${lang} "")
endforeach()
embed(c c sandmote/)
embed(rust rust sandmote/)
embed(as assemblyscript sandmote/)
file(WRITE ${OUT} "#include \"templates.h\"\n${arrays}const struct template_file template_files[] = {\n${rows}    {0},\n};\n")
