#!/bin/sh
# What a start and an update cost a device, and how that grows with the module: bench/update.sh
# [--build DIR]. DIR (default build/gcc) is where the built sandmote is.
#
# Instructions are counted by callgrind on this machine: the supervisor with the compact cryptography,
# over flash in memory. `start` is from power on to the module's first instruction; `change` from when
# the old module may not tick any more to the new one's first instruction. Flash is what one update
# programs and erases, from the first byte of the download to the record of the commit, in sectors of
# 4096 bytes; `least` is module and image alone.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
. "$here/common.sh"

build=$root/build/gcc
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift ;;
    *) echo "bench/update.sh: unknown option $1" >&2 && exit 64 ;;
    esac
    shift
done
case $build in /*) ;; *) build=$PWD/$build ;; esac
sandmote=$build/app/sandmote/sandmote
[ -x "$sandmote" ] || { echo "bench/update.sh: no $sandmote: build first" >&2 && exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# module TO FUNCTIONS SEQUENCE: signed, with so many functions of about 70 bytes.
module() {
    awk -v functions="$2" -f "$here/wasm/padded.awk" >"$work/m.wat"
    wat2wasm "$work/m.wat" -o "$work/m.wasm"
    cat >"$work/m.json" <<JSON
{"fleet": "bench", "name": "bench", "version": "$3", "sequence": $3, "classes": ["mcu"],
 "period_ms": 1000, "health": {"good_ticks": 1}, "memory_bytes": 1024, "capabilities": ["log"]}
JSON
    "$sandmote" pack --manifest "$work/m.json" "$work/m.wasm" -o "$1" >"$work/log"
    "$sandmote" sign --key "$work/key.pem" "$1" >"$work/log"
}

# instructions FUNCTION: that the second update's or start's function executes, in thousands.
instructions() {
    valgrind --tool=callgrind --toggle-collect="$1" --callgrind-out-file=/dev/null \
        --log-file="$work/log" "$work/update" "$work/key.raw" "$work/old" "$work/old.sig" \
        "$work/new" "$work/new.sig" >"$work/flash"
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/log"
}

gcc -std=c11 -O2 -g -Wall -Wextra -I"$root/include" "$here/update.c" \
    "$build/src/device/libsm_device.a" "$build/src/host/libsm_host.a" \
    "$build/src/sensor/libsm_sensor.a" "$build/src/mqttsn/libsm_mqttsn.a" \
    "$build/src/trust/libsm_trust.a" "$build/src/store/libsm_store.a" \
    "$build/src/wasm/libsm_wasm.a" "$build/src/crypto/libsm_crypto.a" "$build/libsm_base.a" -lm \
    -o "$work/update"
"$sandmote" key new "$work/key.pem" >"$work/log"
openssl pkey -in "$work/key.pem" -pubout -outform DER | tail -c 32 >"$work/key.raw"

echo "sandmote: commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown); $(gcc --version | head -n 1), -O2"
echo
printf '%8s %8s %12s %12s %10s %10s %8s %8s %8s\n' module image 'start Kinstr' 'change Kinstr' \
    flash least ratio erases least
for functions in 4 40 160 640 1280; do
    module "$work/old" $functions 1
    module "$work/new" $functions 2
    start=$(instructions start)
    change=$(instructions change_to_new)
    read -r bytes image programmed erased sector <"$work/flash"
    least=$((bytes + image))
    sectors=$(((bytes + sector - 1) / sector + (image + sector - 1) / sector))
    echo "$bytes $image $start $change $programmed $least $erased $sectors" |
        awk '{ printf "%8d %8d %12.0f %12.0f %10d %10d %8.2f %8d %8d\n", $1, $2, $3 / 1000, $4 / 1000,
            $5, $6, $5 / $6, $7, $8 }'
done
