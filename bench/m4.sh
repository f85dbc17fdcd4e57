#!/bin/sh
# The engine on the emulated Cortex-M4, beside native code: bench/m4.sh [OPTION]... [KERNEL]...
#
#   --build DIR                where to build; default build/bench-m4
#   --levels "O2 Os O2-thumb O2-thumb-acc"   the engine's optimisation levels; -thumb: handlers in
#                              assembly, -acc: and the accumulator
#   --markdown                 the table as Markdown
#
# Each kernel with a count of rounds for the microcontroller in bench/kernels/list becomes a firmware
# that holds it twice: compiled by arm-none-eabi-gcc -O2, and as a module and its image, executed in
# place from flash; and once more with the module's native image (aot) in place. QEMU counts the
# instructions of run(n) alone; see bench/m4/kernel.c. All must give the same result. Exit status 1
# when one does not.
#
# $NATIVE_FLAGS and $CLANG name other flags and another compiler for wasm32, $SWITCHES switches of
# sandmote/config.h, as in SWITCHES=SM_FUSED=0, with a --build DIR of their own.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
. "$here/common.sh"

out=$root/build/bench-m4 levels='O2 Os O2-thumb O2-thumb-acc' markdown=0 kernels=''
while [ $# -gt 0 ]; do
    case $1 in
    --build) out=$2 && shift ;;
    --levels) levels=$2 && shift ;;
    --markdown) markdown=1 ;;
    -*) echo "bench/m4.sh: unknown option $1" >&2 && exit 64 ;;
    *) kernels="$kernels $1" ;;
    esac
    shift
done
[ -n "$kernels" ] || kernels=$(all_kernels M4)

native_flags=${NATIVE_FLAGS:--std=c11 -O2}

# shellcheck disable=SC2086 # levels are words
build_engines "$out" $levels

first=${levels%% *}

# image_for LEVEL KERNEL
image_for() {
    case $1 in
    *-acc) engine=for-m4-acc ;;
    *) engine=for-m4 ;;
    esac
    "$out/$engine/translate" "$out/$2.wasm" "$out/$2.image"
}

# "KERNEL native interpreted... aot" with one number for each level.
measure() {
    rounds=$(rounds_of "$1" 3)
    compile_wasm "$here/kernels/$1.c" "$out/$1.wasm"
    # shellcheck disable=SC2086 # flags are words
    $m4_cc $m4_cpu $native_flags -c "$here/kernels/$1.c" -o "$out/$1.o"
    line=
    for level in $levels; do
        image_for "$level" "$1"
        firmware "$out" "$level" "$out/$1-$level.elf" -DROUNDS="$rounds" -DMODULE="\"$out/$1\"" \
            "$here/m4/kernel.c" "$out/$1.o"
        counts=$("$root/test/firmware/run" "$out/$1-$level.elf") || {
            echo "bench/m4.sh: $1, $level: $counts" >&2
            return 1
        }
        line="${line:-${counts% *}} ${counts#* }"
    done
    image_for "$first" "$1"
    "$out/host/app/sandmote/sandmote" aot --target thumbv7em-none-eabihf "$out/$1.wasm" \
        -o "$out/$1.native"
    firmware "$out" "$first" "$out/$1-aot.elf" -DROUNDS="$rounds" -DMODULE="\"$out/$1\"" \
        -DNATIVE="\"$out/$1.native\"" "$here/m4/kernel.c" "$out/$1.o"
    counts=$("$root/test/firmware/run" "$out/$1-aot.elf") || {
        echo "bench/m4.sh: $1, native image: $counts" >&2
        return 1
    }
    echo "$1 $line ${counts#* }"
}

echo "native: $($m4_cc --version | head -n 1), $m4_cpu $native_flags"
echo "wasm32: $($cc_wasm --version | head -n 1), $wasm_flags"
echo "sandmote: commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)," \
    "built with the same gcc at each level; epoch checks, limits and full validation on"
echo "method: instructions of run(n) alone, counted by $(qemu-system-arm --version | head -n 1)" \
    "(-icount shift=5); twice the rounds less once; every result equals native's"
echo
rm -f "$out/finished"
{
    for kernel in $kernels; do
        measure "$kernel"
    done
    : >"$out/finished"
} | awk -f "$here/table.awk" -v names="native $levels aot" -v digits=0 -v markdown=$markdown \
    -v save="$out/m4.rows"
[ -f "$out/finished" ]
