#!/bin/sh
# sandmote run --coredump and sandmote postmortem, read by other tools as well.
# postmortem.sh SANDMOTE CLANG WAT2WASM WASM_VALIDATE WASM_OBJDUMP LLVM_SYMBOLIZER
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 clang=$2 wat2wasm=$3 validate=$4 objdump=$5 symbolizer=$6
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

cat >crash.c <<'C'
static volatile int sink[4];
__attribute__((noinline)) static int deep(int depth, long long wide, double part)
{
    if (depth == 0)
        return *(volatile int *)0x7ffffff0;
    sink[depth & 3] = depth;
    return deep(depth - 1, wide + 1, part / 2) + sink[0];
}
__attribute__((export_name("tick"))) void tick(void)
{
    sink[1] = deep(3, 1000000000000ll, 8.0);
}
C

for version in 2 3 4 5; do
    "$clang" --target=wasm32 -O1 -gdwarf-$version -nostdlib -Wl,--no-entry crash.c -o crash.wasm
    expect 3 "$sandmote" run --invoke tick --coredump core crash.wasm
    says 'core dumped: core'
    # It is a module, for another decoder and for ours.
    expect 0 "$validate" core
    expect 0 "$sandmote" validate core
    # Names, lines and locals of every frame.
    expect 0 "$sandmote" postmortem --module crash.wasm core
    shows '#0   function 1 "deep"'
    shows 'crash.c:5:16'
    shows 'locals 0=i32:0 1=i64:1000000000003 2=f64:0x1p+0'
    shows '#3   function 1 "deep"'
    shows 'locals 0=i32:3 1=i64:1000000000000 2=f64:0x1p+3'
    shows '#4   function 0 "tick"'
    shows 'crash.c:11:15'
    # sink[1] to sink[3] are what is not zero in memory.
    shows 'memory     131072 bytes, 9 of them here; 1 globals'
    # The same lines as another reader of DWARF finds; it wants offsets in the code section.
    "$sandmote" run --invoke tick crash.wasm 2>trace
    code=$("$objdump" -h crash.wasm | sed -n 's/.*Code start=\(0x[0-9a-f]*\).*/\1/p')
    sed -n 's/.* at offset \(0x[0-9a-f]*\) .*/\1/p' trace |
        while read -r offset; do printf '0x%x\n' $((offset - code)); done >offsets
    "$sandmote" postmortem --module crash.wasm core | sed -n 's/^ *[^ ]*\(crash\.c:[0-9]*:[0-9]*\)$/\1/p' >ours
    "$symbolizer" --obj=crash.wasm --no-inlines --functions=none <offsets |
        sed -n 's/^[^ ]*\(crash\.c:[0-9]*:[0-9]*\)$/\1/p' >theirs
    is test "$(wc -l <theirs)" -eq 5
    is cmp -s ours theirs
done

# Without the module: no names and no lines, but the rest.
expect 0 "$sandmote" postmortem core
shows '#0   function 1'
shows 'locals 0=i32:0'
# A module without debug information: names, offsets, no lines.
"$clang" --target=wasm32 -O1 -nostdlib -Wl,--no-entry crash.c -o plain.wasm
expect 3 "$sandmote" run --invoke tick --coredump core plain.wasm
expect 0 "$sandmote" postmortem --module plain.wasm core
shows '#0   function 1 "deep" at offset 0x'
is sh -c '! grep -q "crash.c" out'

# Globals, every type of value, a partial page, an endless loop.
cat >all.wat <<'W'
(module
  (memory 1)
  (global i32 (i32.const -7))
  (global (mut i64) (i64.const 0x8000000000000000))
  (global f32 (f32.const 1.5))
  (global f64 (f64.const -2.5))
  (global funcref (ref.null func))
  (data (i32.const 65000) "secret")
  (func (export "spin") (param externref) (local i32 i64 f32 f64)
    (local.set 2 (i64.const -1))
    (local.set 3 (f32.const -0.5))
    (local.set 4 (f64.const 0.25))
    (loop (local.set 1 (i32.sub (i32.const 0) (i32.const 300))) (br 0))))
W
"$wat2wasm" --debug-names all.wat -o all.wasm
expect 4 "$sandmote" run --epoch-ms 20 --invoke spin --coredump core all.wasm null
expect 0 "$validate" core
expect 0 "$sandmote" postmortem --module all.wasm core
shows 'locals 0=? 1=i32:-300 2=i64:-1 3=f32:-0x1p-1 4=f64:0x1p-2'
shows 'memory     65536 bytes, 6 of them here; 5 globals'

# What is no post-mortem; a core dump cut off anywhere.
expect 1 "$sandmote" postmortem all.wat
says 'neither a core dump nor a post-mortem'
expect 1 "$sandmote" postmortem all.wasm
size=$(wc -c <core)
cut=9
while [ "$cut" -lt "$size" ]; do
    head -c "$cut" core >part
    "$sandmote" postmortem --module all.wasm part >out 2>err
    [ $? -lt 2 ] || fail "a core dump of $cut bytes"
    cut=$((cut + 1))
done
checks=$((checks + 1))
expect 64 "$sandmote" postmortem
finish
