#!/bin/sh
# Builds the example and the misbehaving modules: modules/build.sh OUTDIR
#
# For each module OUTDIR gets NAME.wasm and its manifest NAME.json, neither packed nor signed:
# `sandmote pack` and `sandmote sign` come next. Prints the sizes. Needs clang and wasm-ld with
# wasm32, wat2wasm, and a rustc with the wasm32-unknown-unknown target ($CLANG, $WAT2WASM, $RUSTC
# and $WASM_LD name others than Debian's). $ASC is AssemblyScript's compiler; without it the modules
# in AssemblyScript are left out.
#
# SPDX-License-Identifier: Apache-2.0
set -eu

if [ $# -ne 1 ]; then
    echo "usage: modules/build.sh OUTDIR" >&2
    exit 64
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
guest=$here/../guest

clang=${CLANG:-clang}
wat2wasm=${WAT2WASM:-wat2wasm}
rustc=${RUSTC:-/usr/bin/rustc}
wasm_ld=${WASM_LD:-wasm-ld-14}

# __heap_base tells `sandmote pack` how much memory a module uses.
#
# The stack lies below the data (--stack-first), so that overflowing it traps at address 0 and does
# not run into variables.
stack=1024

# c NAME SOURCE MANIFEST [FLAG...]: names are stripped unless a flag of the module keeps them.
c() {
    name=$1 source=$2 manifest=$3
    shift 3
    "$clang" --target=wasm32 -mcpu=mvp -std=c11 -Wall -Wextra -Werror -Oz -nostdlib \
        -I"$guest/c" -Wl,--no-entry -Wl,--compress-relocations \
        -Wl,--stack-first -Wl,-z,stack-size=$stack -Wl,--export=__heap_base \
        "${@:--Wl,--strip-all}" "$here/$source" -o "$out/$name.wasm"
    finish "$name" "$manifest"
}

rust() {
    name=$1 source=$2 manifest=$3
    shift 3
    "$rustc" --edition 2021 --crate-type cdylib --target wasm32-unknown-unknown \
        -D warnings -C opt-level=z -C panic=abort -C lto=fat -C linker="$wasm_ld" \
        -C link-arg=--strip-all -C link-arg=--compress-relocations \
        -C link-arg=--stack-first -C link-arg=-zstack-size=$stack \
        -C link-arg=--export=__heap_base \
        --extern sandmote="$out/libsandmote.rlib" "$@" "$here/$source" -o "$out/$name.wasm"
    finish "$name" "$manifest"
}

# asc finds the SDK as npm puts it: in node_modules above the source.
assemblyscript() {
    mkdir -p "$out/as/node_modules/sandmote"
    cp -R "$guest/assemblyscript/assembly" "$guest/assemblyscript/package.json" \
        "$out/as/node_modules/sandmote"
    cp "$here/$2" "$out/as/$1.ts"
    (cd "$out/as" && "$ASC" "$1.ts" --config "$guest/assemblyscript/asconfig.json" \
        -o "$out/$1.wasm")
    finish "$1" "$3"
}

wat() {
    "$wat2wasm" "$here/$2" -o "$out/$1.wasm"
    finish "$1" "$3"
}

finish() {
    chmod 644 "$out/$1.wasm"
    cp "$here/$2" "$out/$1.json"
    printf '%6d bytes  %s\n' "$(wc -c <"$out/$1.wasm")" "$1"
}

"$rustc" --edition 2021 --crate-type rlib --crate-name sandmote --target wasm32-unknown-unknown \
    -D warnings -C opt-level=z -C panic=abort -C embed-bitcode=yes \
    "$guest/rust/src/lib.rs" -o "$out/libsandmote.rlib"

strip=-Wl,--strip-all
for v in 1 2; do
    c thermostat-$v thermostat/thermostat.c thermostat/manifest-$v.json \
        $strip -DTHERMOSTAT_VERSION=$v
    rust thermostat-rs-$v thermostat-rs/thermostat.rs thermostat-rs/manifest-$v.json \
        --cfg "thermostat_version=\"$v\""
done
c heartbeat heartbeat/heartbeat.c heartbeat/manifest.json
for x in climate logger field; do
    c $x $x/$x.c $x/manifest.json
    rust $x-rs $x/$x.rs $x/manifest.json
    [ -z "${ASC:-}" ] || assemblyscript $x-as $x/$x.ts $x/manifest.json
done
c field-2 field/field.c field/manifest.json $strip -DFIELD_QOS=2
for n in 2 3; do
    c listing$n listing$n/listing$n.c listing$n/manifest.json $strip "$guest/c/start.c"
done
rust plugin_tmp plugin-tmp-rs/plugin_tmp.rs plugin-tmp-rs/plugin_tmp.json
rust plugin_tmp105 plugin-tmp105/tmp105.rs plugin-tmp105/manifest.json
c plugin_tmp105-c plugin-tmp105/tmp105.c plugin-tmp105/manifest.json
[ -z "${ASC:-}" ] || assemblyscript plugin_tmp105-as plugin-tmp105/tmp105.ts plugin-tmp105/manifest.json

bad=misbehaving
for name in spin unhealthy grower deep snoop stranger chatty; do
    c $name $bad/$name.c $bad/$name.json
done
c snoop_unasked $bad/snoop.c $bad/snoop_unasked.json
c trap_later $bad/trap_later.c $bad/trap_later.json -Wl,--strip-debug
c hungry $bad/idle.c $bad/hungry.json $strip -Wl,--initial-memory=536870912
c liar $bad/idle.c $bad/liar.json $strip -Wl,--initial-memory=1048576
for name in trap_at_start spin_start; do
    wat $name $bad/$name.wat $bad/$name.json
done
