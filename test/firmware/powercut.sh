#!/bin/sh
# Power cuts on the emulated Cortex-M4: powercut.c in QEMU, its flash in a file.
#
#   test/firmware/powercut.sh DIR SANDMOTE [CUTS]     about so many cuts; 200, or "all" of them
#   test/firmware/powercut.sh DIR SANDMOTE STORY CUT  one again, as a failure says
#
# DIR is a build tree for Cortex-M4, made when it is not there; SANDMOTE the host's tool. In a run
# of CUTS, QEMU is killed five times and started again on the same file.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$1 sandmote=$2 cuts=${3:-200} only=${4:-}
for tool in arm-none-eabi-gcc qemu-system-arm; do
    command -v $tool >/dev/null 2>&1 || { echo "skipped: no $tool"; exit 77; }
done
mkdir -p "$dir"
if ! { cmake -S "$root" -B "$dir" -DCMAKE_BUILD_TYPE=MinSizeRel -DSM_SANDMOTE="$sandmote" \
    -DCMAKE_TOOLCHAIN_FILE="$root/port/cortex-m/toolchain.cmake" &&
    cmake --build "$dir" --target powercut; } >"$dir/powercut.build" 2>&1; then
    cat "$dir/powercut.build" >&2
    exit 1
fi
elf=$dir/suite/powercut.elf flash=$dir/powercut.flash log=$dir/powercut.log

# Numbers as little-endian words.
words() {
    for n; do
        printf '%b' "$(printf '\\0%03o' $((n & 255)) $((n >> 8 & 255)) $((n >> 16 & 255)) $((n >> 24 & 255)))"
    done
}

# orders FIRST STEP STORY: a new flash file with struct control's first words.
orders() {
    rm -f "$flash"
    truncate -s 16M "$flash"
    words 0x6d537063 "$1" "$2" "$3" | dd of="$flash" bs=1 seek=1048576 conv=notrunc 2>/dev/null
}

start() {
    exec timeout -s KILL "$1" qemu-system-arm -M mps2-an386,memory-backend=nor -nographic -monitor none \
        -object memory-backend-file,id=nor,size=16M,mem-path="$flash",share=on \
        -serial stdio -semihosting -kernel "$elf" </dev/null
}

if [ -n "$only" ]; then
    orders "$only" 1000000 "$cuts"
    start 60
fi
stores=26430 # all stories together, about
case $cuts in
all) orders 1 1 1000 ;;
*) orders 3 $((stores / cuts)) 1000 ;;
esac
# The first runs are killed, wherever they are, unless all cuts are wanted; the last one may end.
: >"$log"
killed=0 status=137
while [ $status = 137 ] && [ $killed -lt 5 ] && [ "$cuts" != all ]; do
    status=0
    (start $((1 + killed))) >>"$log" || status=$?
    [ $status != 137 ] || killed=$((killed + 1))
done 2>/dev/null
if [ $status = 137 ]; then
    {
        status=0
        (start 36000) || status=$?
        echo $status >"$dir/powercut.status"
    } | tee -a "$log"
    status=$(cat "$dir/powercut.status")
else
    cat "$log" # the last one came to its end before it was to be killed
fi
echo "      QEMU was killed $killed times meanwhile, and started again on the same file"
exit "$status"
