#!/bin/sh
# The programs in doc/guests.md: doc.sh ROOT MODULES NPM RUSTC
# SPDX-License-Identifier: Apache-2.0
root=$1 modules=$2 npm=$3 rustc=$4
. "$root/test/cli/lib.sh"

# program LANGUAGE: what stands between its marks.
program() {
    sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$root/doc/guests.md" | grep -v '^```'
}

program c >x.c
expect 0 clang --target=wasm32 -std=c11 -Wall -Wextra -Werror -Oz -nostdlib -Wl,--no-entry \
    -I"$root/guest/c" x.c -o c.wasm
program rust >x.rs
expect 0 "$rustc" --edition 2021 --crate-type cdylib --target wasm32-unknown-unknown -D warnings \
    -C opt-level=z -C panic=abort -C linker="${WASM_LD:-wasm-ld-14}" \
    --extern sandmote="$modules/libsandmote.rlib" x.rs -o rust.wasm
if [ -x "$npm/node_modules/.bin/asc" ]; then
    cp -R "$modules/as/node_modules" .
    program ts >x.ts
    expect 0 "$npm/node_modules/.bin/asc" x.ts --config "$root/guest/assemblyscript/asconfig.json" \
        -o ts.wasm
else
    echo "skipped: AssemblyScript, which is not in $npm (./dev install)"
fi
for wasm in *.wasm; do
    is grep -q sensor_tick "$wasm"
done

finish
