#!/bin/sh
# The engine on the emulated Cortex-M4, beside native code: bench/m4.sh [OPTION]... [KERNEL]...
#
#   --build DIR      where to build; default build/bench-m4
#   --levels "O2 Os" the engine's optimisation levels
#   --markdown       the table as Markdown
#
# Each kernel with a count of rounds for the microcontroller in bench/kernels/list becomes a firmware
# that holds it twice: compiled by arm-none-eabi-gcc -O2, and as a module and its image, executed in
# place from flash. QEMU counts the instructions of run(n) alone; see bench/m4/kernel.c. All must give
# the same result. Exit status 1 when one does not.
#
# $NATIVE_FLAGS and $CLANG name other flags and another compiler for wasm32.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
. "$here/common.sh"

out=$root/build/bench-m4 levels='O2 Os' markdown=0 kernels=''
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

cpu="-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16"
native_flags=${NATIVE_FLAGS:--std=c11 -O2}
cc_native=arm-none-eabi-gcc

# build DIR TARGETS CMAKE-ARGUMENT...: part of the tree, configured once.
build() {
    dir=$1 targets=$2
    shift 2
    mkdir -p "$dir"
    # shellcheck disable=SC2086 # targets are words
    if ! { { [ -f "$dir/build.ninja" ] || cmake -S "$root" -B "$dir" -GNinja "$@"; } &&
        ninja -C "$dir" $targets; } >"$dir/build.log" 2>&1; then
        cat "$dir/build.log" >&2
        echo "bench/m4.sh: the build failed" >&2
        exit 2
    fi
}

build_type() {
    case $1 in
    O2) echo RelWithDebInfo ;;
    Os) echo MinSizeRel ;;
    *) echo "bench/m4.sh: no level $1; there are O2 and Os" >&2 && exit 64 ;;
    esac
}

build "$out/host" sm_wasm
gcc -std=c11 -O2 -Wall -I"$root/include" "$here/translate.c" "$out/host/src/wasm/libsm_wasm.a" \
    "$out/host/libsm_base.a" -lm -o "$out/translate"
for level in $levels; do
    build "$out/$level" "sm_wasm sm_board" -DCMAKE_BUILD_TYPE="$(build_type "$level")" \
        -DCMAKE_TOOLCHAIN_FILE="$root/port/cortex-m/toolchain.cmake"
done

# firmware KERNEL ROUNDS LEVEL: links it, with as much RAM as the board has.
firmware() {
    stem=$out/$1
    # shellcheck disable=SC2086 # flags are words
    $cc_native $cpu $native_flags -c "$here/kernels/$1.c" -o "$stem.o"
    # shellcheck disable=SC2086
    $cc_native $cpu -std=c11 -Os -I"$root/include" -I"$root/port/cortex-m" -DROUNDS="$2" \
        -DMODULE="\"$stem\"" --specs=nano.specs -nostartfiles -Wl,--gc-sections \
        -Wl,--defsym=SM_FLASH_SIZE=4M,--defsym=SM_RAM_SIZE=4M -T"$root/port/cortex-m/mps2-an386.ld" \
        "$here/m4/kernel.c" "$stem.o" "$out/$3/port/cortex-m/CMakeFiles/sm_board.dir/board.c.obj" \
        "$out/$3/src/wasm/libsm_wasm.a" "$out/$3/libsm_base.a" -lm -o "$stem-$3.elf"
}

# "KERNEL native interpreted..." with one number for each level.
measure() {
    rounds=$(rounds_of "$1" 3)
    compile_wasm "$here/kernels/$1.c" "$out/$1.wasm"
    "$out/translate" "$out/$1.wasm" "$out/$1.image"
    line=
    for level in $levels; do
        firmware "$1" "$rounds" "$level"
        counts=$("$root/test/firmware/run" "$out/$1-$level.elf") || {
            echo "bench/m4.sh: $1, $level: $counts" >&2
            return 1
        }
        line="${line:-${counts% *}} ${counts#* }"
    done
    echo "$1 $line"
}

table() {
    awk -v levels="$levels" -v markdown=$markdown '
    function put(    i, line) {
        line = markdown ? "|" : ""
        for (i = 1; i <= n; i++)
            line = line (markdown ? " " cell[i] " |" : sprintf(i == 1 ? "%-10s" : "%14s", cell[i]))
        print line
        fflush()
    }
    BEGIN {
        count = split(levels, level, " ")
        cell[1] = "kernel"; cell[2] = "native"
        for (i = 1; i <= count; i++) { cell[2 * i + 1] = "-" level[i]; cell[2 * i + 2] = "x native" }
        n = 2 * count + 2
        put()
        for (i = 1; i <= n; i++) cell[i] = i == 1 ? "---" : "---:"
        if (markdown) put()
    }
    {
        cell[1] = $1; cell[2] = $2
        for (i = 1; i <= count; i++) {
            cell[2 * i + 1] = $(i + 2)
            cell[2 * i + 2] = sprintf("%.2f", $(i + 2) / $2)
            logs[i] += log($(i + 2) / $2)
        }
        rows++
        put()
    }
    END {
        if (!rows) exit
        cell[1] = "geo. mean"; cell[2] = ""
        for (i = 1; i <= count; i++) {
            cell[2 * i + 1] = ""
            cell[2 * i + 2] = sprintf("%.2f", exp(logs[i] / rows))
        }
        put()
    }'
}

echo "native: $($cc_native --version | head -n 1), $cpu $native_flags"
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
} | table
[ -f "$out/finished" ]
