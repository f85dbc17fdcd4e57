#!/bin/sh
# What wildcard encryption costs: bench/wkdibe.sh [OPTION]...
#
#   --build DIR     where to build; default build/bench-wkdibe
#   --host          the host alone
#   --doc           writes doc/benchmarks/wkdibe.md
#
# Instructions, by callgrind on this machine (gcc and clang, -O2) and by QEMU on the emulated
# Cortex-M4, where the C stack is measured too. The operations are those of bench/wkdibe/operations.c and scheme.c.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
. "$here/common.sh"
m4_size=arm-none-eabi-size

out=$root/build/bench-wkdibe host_only=0
while [ $# -gt 0 ]; do
    case $1 in
    --build) out=$2 && shift ;;
    --host) host_only=1 ;;
    --doc)
        shift
        text=$("$0" "$@")
        {
            printf '# What wildcard encryption costs\n\nWhat `./dev bench --wkdibe` prints; '
            printf '`./dev bench --wkdibe --doc` writes this page.\n\n```\n%s\n```\n' "$text"
        } >"$root/doc/benchmarks/wkdibe.md"
        exit 0
        ;;
    *) echo "bench/wkdibe.sh: unknown option $1" >&2 && exit 64 ;;
    esac
    shift
done

# host CC: "INSTRUCTIONS name" in lines.
host() {
    build "$out/$1" "sm_wkdibe sm_crypto" -DCMAKE_C_COMPILER="$1" \
        -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O2 # callgrind cannot read clang's debugging information
    "$1" -std=gnu11 -O2 -Wall -Wextra -I"$root/include" -I"$root/src/wkdibe" "$here"/wkdibe/host.c \
        "$here"/wkdibe/operations.c "$here"/wkdibe/scheme.c "$out/$1/src/wkdibe/libsm_wkdibe.a" \
        "$out/$1/src/crypto/libsm_crypto.a" "$out/$1/libsm_base.a" -o "$out/$1/operations"
    n=0
    "$out/$1/operations" | while read -r name; do
        valgrind --tool=callgrind --toggle-collect=measured --callgrind-out-file=/dev/null \
            "$out/$1/operations" "$n" 2>"$out/$1/log"
        echo "$(sed -n 's/.*Collected : *//p' "$out/$1/log") $name"
        n=$((n + 1))
    done
}

# m4 NAME TYPE CMAKE-ARGUMENT...: "INSTRUCTIONS stack name" in lines.
m4() {
    dir=$out/$1 type=$2
    shift 2
    build "$dir" "sm_wkdibe sm_crypto sm_board" -DCMAKE_BUILD_TYPE="$type" \
        -DCMAKE_TOOLCHAIN_FILE="$root/port/cortex-m/toolchain.cmake" "$@"
    # shellcheck disable=SC2086 # flags are words
    $m4_cc $m4_cpu -std=gnu11 -Os -Wall -Wextra -I"$root/include" -I"$root/src/wkdibe" \
        -I"$root/port/cortex-m" --specs=nano.specs -nostartfiles -Wl,--gc-sections \
        -Wl,--defsym=SM_STACK_SIZE=28K -T"$root/port/cortex-m/mps2-an386.ld" \
        "$here"/wkdibe/m4.c "$here"/wkdibe/operations.c "$here"/wkdibe/scheme.c \
        "$dir/port/cortex-m/CMakeFiles/sm_board.dir/board.c.obj" "$dir/src/wkdibe/libsm_wkdibe.a" \
        "$dir/src/crypto/libsm_crypto.a" "$dir/libsm_base.a" -o "$dir/operations.elf"
    "$root/test/firmware/run" "$dir/operations.elf"
}

thousands() {
    sed 's/ .*//' "$1" | awk '{ printf "%d\n", ($1 + 500) / 1000 }'
}

mkdir -p "$out"
for cc in gcc clang; do
    host $cc >"$out/$cc.counts"
    thousands "$out/$cc.counts" >"$out/$cc.column"
done
sed 's/^[0-9]* //' "$out/gcc.counts" >"$out/names"
echo "host: callgrind, portable C at -O2, $(gcc --version | head -n 1), $(clang --version | head -n 1)"
if [ $host_only = 1 ]; then
    printf '\n%-36s %9s %9s\n' 'thousand instructions' gcc clang
    paste "$out/names" "$out/gcc.column" "$out/clang.column" |
        awk -F '\t' '{ printf "%-36s %9d %9d\n", $1, $2, $3 }'
    exit 0
fi
levels='O2 Os O2-asm Os-asm'
m4 O2 RelWithDebInfo >"$out/O2.counts"
m4 Os MinSizeRel >"$out/Os.counts"
m4 O2-asm RelWithDebInfo -DSM_BLS_ASSEMBLY=ON >"$out/O2-asm.counts"
m4 Os-asm MinSizeRel -DSM_BLS_ASSEMBLY=ON >"$out/Os-asm.counts"
for level in $levels; do
    thousands "$out/$level.counts" >"$out/$level.column"
    awk '{ print $2 }' "$out/$level.counts" >"$out/$level.stack"
done
echo "Cortex-M4: instructions in $(qemu-system-arm --version | head -n 1), $($m4_cc --version | head -n 1)"
echo "asm: with bls_multiply_m4.S (SM_BLS_ASSEMBLY); stack: bytes, the most of the four, callees included"
printf '\n%-36s %7s %7s %7s %7s %7s %7s %7s\n' 'thousand instructions' gcc clang 'M4 -O2' 'M4 -Os' 'asm -O2' 'asm -Os' stack
paste "$out/names" "$out/gcc.column" "$out/clang.column" "$out/O2.column" "$out/Os.column" \
    "$out/O2-asm.column" "$out/Os-asm.column" "$out/O2.stack" "$out/Os.stack" "$out/O2-asm.stack" \
    "$out/Os-asm.stack" | awk -F '\t' '{
        stack = 0
        for (i = 8; i <= 11; i++) if ($i + 0 > stack) stack = $i + 0
        printf "%-36s %7d %7d %7d %7d %7d %7d %7d\n", $1, $2, $3, $4, $5, $6, $7, stack }'

# text LIBRARY PATTERN: bytes of the objects whose names match.
text() {
    $m4_size "$1" | awk -v names="$2" 'NR > 1 && $6 ~ names { n += $1 } END { print n }'
}

printf '\n%-36s %9s %9s %9s\n' 'flash, bytes of text' BLS12-381 all 'with hash'
for level in $levels; do
    all=$(text "$out/$level/src/wkdibe/libsm_wkdibe.a" .)
    hash=$(text "$out/$level/src/crypto/libsm_crypto.a" '^(compact_sha2|sha256|md|hmac|compact_chachapoly|secret)[.]')
    printf '%-36s %9d %9d %9d\n' "M4 $level" \
        "$(text "$out/$level/src/wkdibe/libsm_wkdibe.a" '^bls_')" "$all" $((all + hash))
done
echo "all: the scheme, names, sessions and the compact form too; with hash: SHA-256, HMAC and the AEAD as well"
