#!/bin/sh
# Ordinary programs in C (wasi-libc) and Rust under `sandmote run`.
# guest.sh SANDMOTE CLANG WAT2WASM RUSTC WASM-LD
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 clang=$2 wat2wasm=$3 rustc=$4 wasm_ld=$5
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cli/lib.sh"

expect 0 "$clang" --target=wasm32-wasi -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror \
    -Wl,--export=__heap_base "$here/guest/story.c" -o story.wasm
mkdir data
echo secret >secret
ln -s .. data/out

# Arguments, environment, output, exit code.
expect 0 "$sandmote" run --env WHO=you --env=MORE=1 story.wasm tell 'a b' c
prints 'a b c you'
is grep -qx 'to stderr' err
expect 7 "$sandmote" run story.wasm exit 7
says_nothing
expect 1 "$sandmote" run story.wasm exit 256
expect 64 "$sandmote" run --env WHO story.wasm tell
says '--env takes NAME=VALUE'

# Files, in the directory that was given and nowhere else.
expect 0 "$sandmote" run --dir data=data story.wasm write
is test "$(cat data/kept.txt)" = '1 lines'
expect 0 "$sandmote" run --dir /data=data story.wasm list
prints '2 files'
expect 0 "$sandmote" run --dir data=data story.wasm reach
expect 3 "$sandmote" run story.wasm write
for wrong in data =data x/y=data Data=data data= ../x=data; do
    expect 64 "$sandmote" run --dir "$wrong" story.wasm list
done 2>/dev/null
expect 64 "$sandmote" run --dir nowhere story.wasm list
says '--dir takes NAME=PATH'
expect 1 "$sandmote" run --dir data=nowhere story.wasm list
says 'file/data:rw: there is no such directory'

# The same from Rust, where there is a standard library for it.
if "$rustc" --edition 2021 --target wasm32-wasi -O -D warnings -C linker="$wasm_ld" "$here/guest/story.rs" \
    -o rust.wasm 2>err; then
    expect 4 "$sandmote" run --env WHO=you --dir data=data rust.wasm a b
    prints 'a b'
    says_nothing
elif grep -q "can't find crate for .std." err; then
    echo "skipped: Rust has no standard library for wasm32-wasi (libstd-rust-dev-wasm32)"
else
    fail "$here/guest/story.rs"
fi

# A module that is no command.
expect 0 "$clang" --target=wasm32-wasi -mexec-model=reactor -Os -Wall -Wextra -Werror \
    "$here/guest/reactor.c" -o reactor.wasm
expect 0 "$sandmote" run --invoke tick --dir data=data reactor.wasm
prints ticked
is test "$(cat data/ticks)" = tick

# A wait takes as long as it says and no time of the epoch.
expect 0 "$sandmote" run --epoch-ms 20 story.wasm wait

# What a manifest asks for is all there is.
manifest() {
    printf '{"fleet": "f", "name": "n", "version": "1", "sequence": 1, "classes": ["mpu"],
        "entry": "_start", "capabilities": [%s]}' "$1" >manifest.json
    expect 0 "$sandmote" pack --manifest manifest.json -o packed.wasm story.wasm
}
for wrong in file/data file/data:w file/a/b:r 'file/../x:r'; do
    printf '{"fleet": "f", "name": "n", "version": "1", "sequence": 1, "classes": ["mpu"],
        "capabilities": ["%s"]}' "$wrong" >wrong.json
    expect 1 "$sandmote" pack --manifest wrong.json -o packed.wasm story.wasm
    says "\"$wrong\" is neither file/NAME:r nor file/NAME:rw"
done
printf '{"fleet": "f", "name": "n", "version": "1", "sequence": 1, "classes": ["edge", "mcu"],
    "capabilities": ["wasi"]}' >wrong.json
expect 1 "$sandmote" pack --manifest wrong.json -o packed.wasm story.wasm
says 'class mcu has no WASI'
manifest '"wasi", "file/data:r"'
expect 0 "$sandmote" run --dir data=data packed.wasm change
expect 0 "$sandmote" run --dir data=data packed.wasm reach
expect 3 "$sandmote" run --dir data=data packed.wasm write
expect 1 "$sandmote" run packed.wasm list
says 'file/data:r: there is no such directory'
manifest '"wasi"'
expect 3 "$sandmote" run --dir data=data packed.wasm reach
manifest '"log"'
expect 5 "$sandmote" run packed.wasm list
says 'is not among the capabilities that the manifest asks for: function wasi_snapshot_preview1.'
expect 5 "$sandmote" run --class mcu story.wasm list
says 'is not for class mcu: function wasi_snapshot_preview1.'

# Arguments are the function's own where the module knows nothing of WASI.
echo '(module (func (export "main")))' >plain.wat
expect 0 "$wat2wasm" plain.wat -o plain.wasm
expect 64 "$sandmote" run plain.wasm 1
says 'takes 0 arguments'

finish
