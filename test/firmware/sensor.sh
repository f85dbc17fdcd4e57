#!/bin/sh
# The TMP105's driver on the emulated Cortex-M4, with the chip that QEMU has on its bus; or says what
# is missing for that.
#
#   test/firmware/sensor.sh DIR
#
# QMP, on QEMU's standard input, plays the temperature in 1/1000 degrees; sensor.elf answers with
# what its driver read, and the next one is played then.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$1
for tool in arm-none-eabi-gcc qemu-system-arm; do
    command -v $tool >/dev/null 2>&1 || { echo "skipped: no $tool"; exit 77; }
done
mkdir -p "$dir"
if ! { cmake -S "$root" -B "$dir" -DCMAKE_BUILD_TYPE=MinSizeRel \
    -DCMAKE_TOOLCHAIN_FILE="$root/port/cortex-m/toolchain.cmake" &&
    cmake --build "$dir" --target sensor; } >"$dir/build.log" 2>&1; then
    cat "$dir/build.log" >&2
    exit 1
fi
log=$dir/sensor.log
: >"$log"

# saw LINE: whether the firmware printed it, after a while.
saw() {
    turns=0
    until grep -qxF "$1" "$log"; do
        turns=$((turns + 1))
        [ $turns -lt 200 ] || { echo "FAIL  never printed: $1" >>"$log"; return 1; }
        sleep 0.1
    done
}

# play MILLIDEGREES PRINTED
play() {
    printf '{"execute": "qom-set", "arguments": {"path": "/machine/peripheral/t0", %s}}\n' \
        "\"property\": \"temperature\", \"value\": $1"
    saw "temperature $2"
}

{
    echo '{"execute": "qmp_capabilities"}'
    saw "temperature 0" && play 21500 21500 && play -12345 -12375 && play 125000 125000 &&
        play 63 63 && play -63 -63 && play 21940 21938 && play 30000 30000 && play -55000 -55000 ||
        echo '{"execute": "quit"}'
} | {
    status=0
    timeout 120 qemu-system-arm -M mps2-an386 -display none -serial file:"$log" -monitor none \
        -semihosting -qmp stdio -device tmp105,bus=i2c,address=0x48,id=t0 \
        -kernel "$dir/suite/sensor.elf" >"$dir/qmp.log" || status=$?
    echo $status >"$dir/sensor.status"
}
cat "$log"
grep -q '^sensor passed$' "$log" && [ "$(cat "$dir/sensor.status")" = 0 ]
