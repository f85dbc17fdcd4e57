#!/bin/sh
# Native images for aarch64, run by qemu's user emulation: aarch64.sh SANDMOTE WORK-FOLDER
#
# Every kernel of bench/kernels, with guard pages and with bounds checks, must give what the
# interpreter gives on this machine; a fault and a full stack must be traps at their places.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
sandmote=$1 work=$2
cc=aarch64-linux-gnu-gcc
for tool in $cc qemu-aarch64-static clang; do
    command -v "$tool" >/dev/null 2>&1 || { echo "skipped: no $tool" && exit 77; }
done
mkdir -p "$work"
$cc -std=gnu11 -O2 -static -I"$root/include" -I"$root/port" "$root/test/wasm/native_run.c" \
    "$root/test/wasm/slot.c" "$root/test/wasm/place.c" "$root/port/posix/guard.c" "$root"/src/wasm/*.c "$root/src/error.c" \
    -lm -o "$work/native_run"

# expect WHAT COMMAND...
expect() {
    wanted=$1
    shift
    got=$("$@") || :
    [ "$got" = "$wanted" ] || { echo "aarch64: $*: \"$got\", not \"$wanted\"" && exit 1; }
}

# on_aarch64 WANTED MODULE FUNCTION ARGUMENT
on_aarch64() {
    for checks in '' --checks; do
        # shellcheck disable=SC2086 # nothing or an option
        "$sandmote" aot --target aarch64-linux-gnu --cc "$cc -Wall -Wextra -Werror" $checks "$2" -o "$work/native"
        expect "$1" qemu-aarch64-static "$work/native_run" "$2" "$work/native" "$3" "$4"
    done
}

for source in "$root"/bench/kernels/*.c; do
    name=$(basename "$source" .c)
    clang -std=c11 -O2 --target=wasm32 -mcpu=mvp -fno-builtin -nostdlib -Wl,--no-entry \
        -Wl,--stack-first -Wl,-z,stack-size=8192 "$source" -o "$work/$name.wasm"
    on_aarch64 "$("$sandmote" run --epoch-ms 0 --invoke run "$work/$name.wasm" 3)" \
        "$work/$name.wasm" run 3
done

cat >"$work/traps.wat" <<'WAT'
(module (memory 1)
  (func (export "load") (param i32) (result i32) (i32.load offset=4 (local.get 0)))
  (func $deep (export "recurse") (param i32) (result i32)
    (i32.add (i32.const 1) (call $deep (local.get 0))))
  (func (export "spin") (param i32) (result i32) (loop $l (br $l)) (unreachable)))
WAT
wat2wasm "$work/traps.wat" -o "$work/traps.wasm"
on_aarch64 "i32:0" "$work/traps.wasm" load 65528
on_aarch64 "out of bounds memory access in function 0 at 61" "$work/traps.wasm" load 65529
on_aarch64 "out of bounds memory access in function 0 at 61" "$work/traps.wasm" load 4294967295
on_aarch64 "call stack exhausted in function 1 at 67" "$work/traps.wasm" recurse 1
echo "$(find "$work" -name '*.wasm' | wc -l) modules on aarch64"
