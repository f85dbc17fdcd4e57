#!/bin/sh
# Native images and their claims: sign, verify, inspect, run. native.sh SANDMOTE WAT2WASM
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 wat2wasm=$2
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"

printf '(module (memory 1) (func (export "main") (result i32) i32.const 42))' >m.wat
printf '(module (memory 1) (func (export "main") (result i32) i32.const 43))' >other.wat
"$wat2wasm" m.wat -o m.wasm
"$wat2wasm" other.wat -o other.wasm
expect 0 "$sandmote" aot --checks m.wasm -o m.native
expect 0 "$sandmote" key new builder.pem
expect 0 "$sandmote" key new signer.pem

# Sign and verify.
expect 0 "$sandmote" sign --native --key builder.pem m.native
prints m.native.sig
expect 0 "$sandmote" verify --native --key builder.pub.pem m.native
prints 'm.native: good claim'
expect 0 "$sandmote" verify --native --key builder.pub.pem --module m.wasm m.native
expect 1 "$sandmote" verify --native --key builder.pub.pem --module other.wasm m.native
says 'm.native.sig: BAD claim: it is about another module'
expect 1 "$sandmote" verify --native --key signer.pub.pem m.native
says 'BAD claim: no trusted key made this signature over this claim'
is test ! -s out

# A claim is no signature of a module, and the other way round.
expect 0 "$sandmote" sign --key signer.pem m.wasm
expect 1 "$sandmote" verify --key builder.pub.pem --signature m.native.sig m.wasm
says 'it must have 64 bytes'
expect 1 "$sandmote" verify --native --key signer.pub.pem --signature m.wasm.sig m.native
says 'BAD claim: '
expect 1 "$sandmote" sign --key signer.pem m.native
says 'm.native: a native image: a builder'
expect 1 "$sandmote" sign --native --key builder.pem m.wasm
says 'm.wasm: not a native image; `sandmote aot` makes one of a module'
expect 64 "$sandmote" verify --key builder.pub.pem --module m.wasm m.wasm
says '--module goes with --native'

# Shown without a key.
expect 0 "$sandmote" inspect m.native
shows 'm.native, a native image'
shows "module     $(sha256sum m.wasm | cut -d' ' -f1)"
shows 'claim      m.native.sig, its signature not checked here'
expect 0 "$sandmote" aot m.wasm -o guarded.native
expect 0 "$sandmote" inspect guarded.native
shows 'claim      none (guarded.native.sig is not there)'

# Run: the image is trusted as it is, or believed because a builder claims it.
expect 0 "$sandmote" run --native m.native m.wasm
prints i32:42
expect 0 "$sandmote" run --native m.native --builder builder.pub.pem m.wasm
prints i32:42
expect 1 "$sandmote" run --native m.native --builder signer.pub.pem m.wasm
says 'BAD claim: no trusted key'
expect 1 "$sandmote" run --native m.native --builder builder.pub.pem other.wasm
says 'BAD claim: it is about another module'
expect 1 "$sandmote" run --native guarded.native --builder builder.pub.pem m.wasm
says 'guarded.native.sig'
expect 64 "$sandmote" run --builder builder.pub.pem m.wasm
says '--builder goes with --native'
expect 0 "$sandmote" sign --native --key signer.pem guarded.native
expect 1 "$sandmote" run --native guarded.native --builder builder.pub.pem m.wasm

# A memory whose pages have one byte ends at any byte: its native code compares, unasked.
# (memory 0 (pagesize 1)) (func (export "main") (drop (memory.grow (i32.const 5000)))
#   (i32.load8_u (i32.const 5000)) drop)
printf '\0asm\1\0\0\0\1\4\1\140\0\0\3\2\1\0\5\4\1\10\0\0\7\10\1\4main\0\0' >bytes.wasm
printf '\12\21\1\17\0\101\210\47\100\0\32\101\210\47\55\0\0\32\13' >>bytes.wasm
expect 3 "$sandmote" run bytes.wasm
says 'out of bounds memory access'
expect 0 "$sandmote" aot bytes.wasm -o bytes.native
expect 3 "$sandmote" run --native bytes.native bytes.wasm
says 'out of bounds memory access'

# A module packed for a part of a page: its native image runs there, and ends where the part does.
printf '(module (memory 1) (func (export "main") (result i32) (i32.load8_u (i32.const 4091)))
    (func (export "out") (param i32) (result i32) (i32.load8_u (local.get 0))))' >part.wat
"$wat2wasm" part.wat -o part.raw
printf '{"fleet": "f", "name": "n", "version": "1", "sequence": 1, "classes": ["mcu"],
    "memory_bytes": 4092}' >part.json
expect 0 "$sandmote" pack --manifest part.json part.raw -o part.wasm
expect 0 "$sandmote" aot part.wasm -o part.native
expect 0 "$sandmote" run --native part.native part.wasm
prints i32:0
expect 0 "$sandmote" run --native part.native --invoke out part.wasm 4091
prints i32:0
expect 3 "$sandmote" run --native part.native --invoke out part.wasm 4092
says 'out of bounds memory access'
{ printf '\0asm\1\0\0\0\0\014\010sandmote\241\1\1'; tail -c +9 m.wasm; } >broken.wasm
expect 1 "$sandmote" aot broken.wasm -o broken.native
says 'broken.wasm: manifest, key kind'

# Another image under the same claim, and a claim that was changed.
cp guarded.native swapped.native
cp m.native.sig swapped.native.sig
expect 1 "$sandmote" run --native swapped.native --builder builder.pub.pem m.wasm
says 'swapped.native: BAD image: these are not the bytes that were claimed'
expect 0 "$sandmote" inspect swapped.native
shows 'claim      swapped.native.sig: is about other bytes'
cp m.native changed.native
{ head -c 100 m.native.sig; printf 'x'; tail -c +102 m.native.sig; } >changed.native.sig
expect 1 "$sandmote" verify --native --key builder.pub.pem changed.native
says 'changed.native.sig: BAD claim: '
printf 'SMNI' >short.native
expect 1 "$sandmote" inspect short.native
says 'short.native: a native image, but not a good one: '
expect 1 "$sandmote" sign --native --key builder.pem short.native

# An image that nobody claims, and one byte of it changed: header, padding, hash, code. The first is
# where the code is entered.
size=$(stat -c %s m.native)
for at in 0 5 9 13 24 60 68 69 76 92 104 112 119 120 151 152 2000 4095 4096 4100 4200 $((size - 1)); do
    byte=$(od -An -tu1 -j "$at" -N 1 m.native)
    { head -c "$at" m.native; printf "\\$(printf %o $((byte ^ 1)))"; tail -c +$((at + 2)) m.native
    } >flipped.native
    is test "$(stat -c %s flipped.native)" -eq "$size"
    expect 1 "$sandmote" run --native flipped.native m.wasm
    says 'flipped.native: not a'
done
expect 1 "$sandmote" inspect flipped.native
says 'flipped.native: a native image, but not a good one: changed since it was made'
expect 1 "$sandmote" sign --native --key builder.pem flipped.native
is test ! -e flipped.native.sig

# Images belong to one module and one processor; compilers and targets are named.
printf '(module (func (export "_start")))' >other.wat
"$wat2wasm" other.wat -o other.wasm
expect 1 "$sandmote" run --native m.native other.wasm
says "made of another module"
expect 64 "$sandmote" aot --target vax m.wasm -o vax.native
says 'no target is called "vax"'
expect 1 "$sandmote" aot --cc no-such-compiler m.wasm -o none.native
says "no-such-compiler failed"
expect 1 "$sandmote" aot --cc clang m.wasm -o clang.native
says "use gcc, or --checks"
expect 0 "$sandmote" aot --checks --cc clang m.wasm -o clang.native
expect 0 "$sandmote" run --native m.native m.wasm
cp out by-gcc
expect 0 "$sandmote" run --native clang.native m.wasm
is cmp -s out by-gcc


# The C file is clean for other compilers too (test/wasm/native.c compiles all its modules so), and a
# file of the caller's is not in the way.
printf mine >log
expect 0 "$sandmote" aot --cc 'gcc -Wall -Wextra -Werror' --keep-c kept.c m.wasm -o warned.native
expect 0 "$sandmote" aot --checks --cc 'clang -Wall -Wextra -Werror' m.wasm -o warned.native
expect 1 "$sandmote" aot --cc 'gcc -Wall -Wextra -Werror -include no-such.h' m.wasm -o warned.native
says 'no-such.h'
is test "$(cat log)" = mine
is gcc -std=gnu11 -Wall -Wextra -Werror -ffreestanding -c kept.c -o kept.o

# A loop that is interrupted is at its way back, as when it is interpreted; one with several native
# ways back is at its beginning.
printf '(module (func (export "one") (loop (br 0)))
    (func (export "two") (loop (br_if 0 (i32.const 0)) (br 0))))' >loop.wat
"$wat2wasm" loop.wat -o loop.wasm
expect 0 "$sandmote" aot loop.wasm -o loop.native
expect 4 "$sandmote" run --epoch-ms 20 --invoke one loop.wasm
says 'offset 0x29'
expect 4 "$sandmote" run --epoch-ms 20 --native loop.native --invoke one loop.wasm
says 'offset 0x29'
expect 4 "$sandmote" run --epoch-ms 20 --native loop.native --invoke two loop.wasm
says 'offset 0x2f'

finish
