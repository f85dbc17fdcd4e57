#!/bin/sh
# What a granted sensor call costs a module beside the driver, in instructions: bench/sensors.sh [DIR]
#
# On this machine and on the emulated Cortex-M4, as bench/costs.sh counts; bench/sensors.c says what of.
# DIR is build/bench-m4 by default.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
. "$here/common.sh"

out=${1:-$root/build/bench-m4}
mkdir -p "$out"
build_engines "$out" O2 Os O2-thumb
wat2wasm "$here/wasm/sensors.wat" -o "$out/sensors.wasm"
"$out/for-m4/translate" "$out/sensors.wasm" "$out/sensors.image"
cp "$out/sensors.wasm" "$out/host/sensors.wasm"
"$out/host/translate" "$out/host/sensors.wasm" "$out/host/sensors.image"

# libraries FOLDER: what the sensor calls are in, in the order of linking.
libraries() {
    build "$out/$1" sm_host
    echo "$out/$1/src/host/libsm_host.a" "$out/$1/src/sensor/libsm_sensor.a" \
        "$out/$1/src/trust/libsm_trust.a"
}

# shellcheck disable=SC2046 # paths of this script's own
gcc -std=gnu11 -O2 -I"$root/include" -I"$here" "-DSENSORS=\"$out/host/sensors\"" "$here/sensors.c" \
    "$here/port_host.c" $(libraries host) "$out/host/src/wasm/libsm_wasm.a" "$out/host/libsm_base.a" -lm \
    -o "$out/sensors-host.program"
"$out/sensors-host.program" >"$out/sensors-host"
for level in O2 Os O2-thumb; do
    # shellcheck disable=SC2046
    firmware "$out" "$level" "$out/sensors-$level.elf" "-DSENSORS=\"$out/sensors\"" "$here/sensors.c" \
        "$here/m4/port.c" $(libraries "$level")
    "$root/test/firmware/run" "$out/sensors-$level.elf" >"$out/sensors-$level"
done

echo "sandmote: commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)"
echo "host: $(gcc --version | head -n 1), -O2; M4: $($m4_cc --version | head -n 1)"
echo
printf '%-36s %10s %10s %10s %10s\n' instructions x86-64 'M4 -O2' 'M4 -Os' 'M4 Thumb'
paste "$out/sensors-host" "$out/sensors-O2" "$out/sensors-Os" "$out/sensors-O2-thumb" |
    awk -F '\t' '{ printf "%-36s %10d %10d %10d %10d\n", $1, $2, $4, $6, $8 }'
