#!/bin/sh
# Makes build/module.wasm, which is what one signs.
# Needs cmake, ninja or make, clang, lld, and sandmote on the PATH, or its path in $SANDMOTE.
set -eu
cd "$(dirname "$0")"
if command -v ninja >/dev/null; then
    export CMAKE_GENERATOR=Ninja
fi
cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE="$PWD/sandmote/sandmote.cmake" \
    -DSANDMOTE="$(command -v "${SANDMOTE:-sandmote}")"
cmake --build build
