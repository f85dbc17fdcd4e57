#!/bin/sh
# Skips instructions of the emulated microcontroller: builds skip.c for it, and runs skip.js.
#
#   test/firmware/skip/skip.sh DIR [OPTION...]     skip.js names the options
#
# SPDX-License-Identifier: Apache-2.0
set -eu
dir=$1
shift
root=$(cd "$(dirname "$0")/../../.." && pwd)
node=$(command -v node || command -v nodejs || true)
for tool in arm-none-eabi-gcc qemu-system-arm "${node:-node}"; do
    command -v "$tool" >/dev/null 2>&1 || { echo "skipped: no $tool"; exit 77; }
done
mkdir -p "$dir"
{ cmake -S "$root" -B "$dir" -DCMAKE_BUILD_TYPE=MinSizeRel "-DCMAKE_C_FLAGS_MINSIZEREL=-Os -DNDEBUG -g" \
    -DCMAKE_TOOLCHAIN_FILE="$root/port/cortex-m/toolchain.cmake" &&
    cmake --build "$dir" --target skip -j 2; } >"$dir/build.log" 2>&1 || { cat "$dir/build.log" >&2; exit 1; }
exec "$node" "$root/test/firmware/skip/skip.js" "$@" "$dir"
