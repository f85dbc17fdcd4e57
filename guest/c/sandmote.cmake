# CMake toolchain file for modules in C, and sandmote_module(), which builds and packs one:
#
#   cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE=.../guest/c/sandmote.cmake
#
#   project(hello C)
#   sandmote_module(hello SOURCES hello.c MANIFEST manifest.json)
#
# With clang and lld of Debian; -DCMAKE_C_COMPILER names another clang, and -DSANDMOTE=... the
# program `sandmote`, when it is not on the PATH.
#
# SPDX-License-Identifier: Apache-2.0
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
if(NOT CMAKE_C_COMPILER)
  set(CMAKE_C_COMPILER clang)
endif()
set(CMAKE_C_COMPILER_TARGET wasm32)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY) # there is no main() to try the linker with
set(CMAKE_EXECUTABLE_SUFFIX_C .wasm)
set(CMAKE_C_FLAGS_INIT "-mcpu=mvp -Oz -nostdlib")
set(SANDMOTE_GUEST_C ${CMAKE_CURRENT_LIST_DIR})

# The stack lies below the data, so that overflowing it traps at address 0 and does not run into
# variables. From __heap_base `sandmote pack` reads how much memory a module uses.
set(SANDMOTE_STACK_BYTES 1024 CACHE STRING "bytes of a module's stack in its own memory")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,--no-entry -Wl,--strip-all -Wl,--compress-relocations \
-Wl,--stack-first -Wl,-z,stack-size=${SANDMOTE_STACK_BYTES} -Wl,--export=__heap_base")

# sandmote_module(NAME SOURCES FILE... [MANIFEST FILE.json] [MAIN])
#
# Builds NAME.raw.wasm of the sources, and packs it with the manifest as NAME.wasm, which is what one
# signs; without a manifest only the first. With MAIN the sources have a main(), to be called as the
# entry "main" of the manifest.
function(sandmote_module name)
  cmake_parse_arguments(M "MAIN" "MANIFEST" "SOURCES" ${ARGN})
  if(M_UNPARSED_ARGUMENTS OR NOT M_SOURCES)
    message(FATAL_ERROR "sandmote_module(NAME SOURCES FILE... [MANIFEST FILE.json] [MAIN])")
  endif()
  if(M_MAIN)
    list(PREPEND M_SOURCES ${SANDMOTE_GUEST_C}/start.c)
  endif()
  add_executable(${name} ${M_SOURCES})
  set_target_properties(${name} PROPERTIES OUTPUT_NAME ${name}.raw C_STANDARD 11)
  target_include_directories(${name} SYSTEM PRIVATE ${SANDMOTE_GUEST_C})
  if(M_MANIFEST)
    find_program(SANDMOTE sandmote)
    if(NOT SANDMOTE)
      message(FATAL_ERROR "sandmote is not on the PATH: say where with -DSANDMOTE=/path/to/sandmote")
    endif()
    get_filename_component(manifest ${M_MANIFEST} ABSOLUTE)
    set(packed ${CMAKE_CURRENT_BINARY_DIR}/${name}.wasm)
    add_custom_command(
      OUTPUT ${packed}
      COMMAND ${SANDMOTE} pack --manifest ${manifest} $<TARGET_FILE:${name}> -o ${packed}
      DEPENDS ${name} ${manifest} VERBATIM)
    add_custom_target(${name}_packed ALL DEPENDS ${packed})
  endif()
endfunction()
