#!/bin/sh
# Whether the microcontroller's code branches or looks up by secrets: every instruction and address of
# secrets.elf, hashed by a plugin of QEMU, must be the same whatever the secrets are. And whether it computes
# what every machine does (bls.elf). Or says what is missing for that.
#
#   test/firmware/trace/trace.sh DIR [CMAKE-ARGUMENT]...
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
dir=$1
shift
for tool in arm-none-eabi-gcc qemu-system-arm; do
    command -v $tool >/dev/null 2>&1 || { echo "skipped: no $tool"; exit 77; }
done
mkdir -p "$dir"
if ! { gcc -std=c11 -O2 -Wall -Wextra -Werror -shared -fPIC "$here/trace.c" -o "$dir/trace.so" &&
    cmake -S "$root" -B "$dir" -DCMAKE_BUILD_TYPE=MinSizeRel \
        -DCMAKE_TOOLCHAIN_FILE="$root/port/cortex-m/toolchain.cmake" "$@" &&
    cmake --build "$dir" --target secrets bls; } >"$dir/build.log" 2>&1; then
    cat "$dir/build.log" >&2
    exit 1
fi

"$root/test/firmware/run" "$dir/firmware/bls.elf"

# trace SEED PUBLIC [SCHEME]: "trace HASH COUNT"
trace() {
    timeout 600 qemu-system-arm -M mps2-an386 -nographic -monitor none -serial null -semihosting \
        -plugin "$dir/trace.so" -d plugin -D "$dir/log" \
        -device loader,addr=0x21000000,data="$1",data-len=4 \
        -device loader,addr=0x21000004,data="$2",data-len=4 \
        -device loader,addr=0x21000008,data="${3:-0}",data-len=4 -kernel "$dir/suite/secrets.elf" \
        </dev/null || { echo "the firmware failed" >&2; return 1; }
    grep '^trace ' "$dir/log"
}

scheme=${SANDMOTE_TEST_FULL:+1} # minutes
first=$(trace 1 0 "$scheme")
for seed in 0 0xfedcba98; do
    other=$(trace $seed 0 "$scheme")
    [ "$other" = "$first" ] || { echo "secrets change what is executed: $first, $other"; exit 1; }
done
one=$(trace 1 1) other=$(trace 2 1)
[ "$one" != "$other" ] || { echo "a public operation has the same trace: $one"; exit 1; }
echo "${first##* } instructions, the same on the same addresses for three sets of secrets"
