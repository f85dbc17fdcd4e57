# What the scripts of this folder share: compiling a kernel to wasm32. Sourced, with $here set.
#
# $CLANG names another compiler for wasm32.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154 # $here

cc_wasm=${CLANG:-clang}
wasm_flags="-std=c11 -O2 --target=wasm32 -mcpu=mvp"

# all_kernels [M4]: the names in kernels/list; with M4 those that the microcontroller runs.
all_kernels() {
    awk -v m4="${1:-}" '!/^#/ && (m4 == "" || $3 != "-") { print $1 }' "$here/kernels/list"
}

# rounds_of KERNEL COLUMN: how many rounds it runs; 2 on the host, 3 on the microcontroller.
rounds_of() {
    n=$(awk -v k="$1" -v c="$2" '$1 == k && $c != "-" { print $c }' "$here/kernels/list")
    [ -n "$n" ] || { echo "bench: no kernel $1 to run in bench/kernels/list" >&2; return 64; }
    echo "$n"
}

# compile_wasm SOURCE OUT.wasm FLAG...
compile_wasm() {
    source=$1 to=$2
    shift 2
    # No C library: the compiler may not turn loops into calls of memset (-fno-builtin).
    # shellcheck disable=SC2086 # flags are words
    $cc_wasm $wasm_flags -fno-builtin -nostdlib -Wl,--no-entry -Wl,--strip-all \
        -Wl,--stack-first -Wl,-z,stack-size=8192 "$@" "$source" -o "$to"
}
