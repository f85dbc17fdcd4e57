#!/bin/sh
# The modules of powercut.c as a header: powercut_modules.sh SANDMOTE WAT2WASM WAT-DIR OUT.h
#
# A new key signs them, in a folder beside OUT.h.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
sandmote=$1 wat2wasm=$2 wats=$3 out=$4
dir=$out.d
rm -rf "$dir"
mkdir -p "$dir"
cd "$dir"
"$sandmote" key new signer.pem

# module NAME WAT SEQUENCE FLOOR
module() {
    "$wat2wasm" "$wats/$2.wat" -o "$2.wasm"
    cat >"$1.json" <<JSON
{"kind": "application", "fleet": "greenhouse", "name": "subject", "version": "$3.0", "sequence": $3,
 "security_floor": $4, "classes": ["mcu"], "entry": "sensor_tick", "period_ms": 100,
 "memory_bytes": 0, "stack_bytes": 512, "capabilities": [], "interface": 1,
 "health": {"good_ticks": 3, "timeout_ms": 5000}}
JSON
    "$sandmote" pack --manifest "$1.json" "$2.wasm" -o "$1.wasm"
    "$sandmote" sign --key signer.pem "$1.wasm"
}

# bytes NAME FILE
bytes() {
    echo "static const uint8_t $1[] = {"
    od -An -v -tu1 "$2" | sed 's/  *\([0-9][0-9]*\)/\1,/g'
    echo '};'
}

module plain_2 plain 2 1
module plain_3 plain 3 2
module trap_3 trap_start 3 3
openssl pkey -pubin -in signer.pub.pem -outform DER | tail -c 32 >signer.key
cp plain_2.wasm.sig bad.sig # a good signature, of something else
{
    for name in plain_2 plain_3 trap_3; do
        bytes $name $name.wasm
        bytes ${name}_sig $name.wasm.sig
    done
    bytes plain_3_bad_sig bad.sig
    bytes signer_key signer.key
} >"$out"
