#!/bin/sh
# Signed modules for the emulated Cortex-M4, in blocks over its second UART.
#
#   test/firmware/mote.sh DIR TEST
#
# DIR is a build tree for Cortex-M4, made when it is not there; TEST the host's program that plays
# the line, with a gateway, a broker and a server behind it. It gets the firmware's path.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$1 test=$2
for tool in arm-none-eabi-gcc qemu-system-arm; do
    command -v $tool >/dev/null 2>&1 || { echo "skipped: no $tool"; exit 77; }
done
mkdir -p "$dir"
if ! { cmake -S "$root" -B "$dir" -DCMAKE_BUILD_TYPE=MinSizeRel \
    -DCMAKE_TOOLCHAIN_FILE="$root/port/cortex-m/toolchain.cmake" &&
    cmake --build "$dir" --target mote; } >"$dir/mote.build" 2>&1; then
    cat "$dir/mote.build" >&2
    exit 1
fi
exec "$test" "$dir/suite/mote.elf"
