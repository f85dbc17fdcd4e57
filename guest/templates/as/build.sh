#!/bin/sh
# Makes build/module.wasm, which is what one signs.
# Needs npm, or AssemblyScript's compiler as $ASC, and sandmote on the PATH, or its path in $SANDMOTE.
set -eu
cd "$(dirname "$0")"
asc=${ASC:-node_modules/.bin/asc}
[ -x "$asc" ] || npm install --no-audit --no-fund
mkdir -p build
"$asc" module.ts -o build/module.raw.wasm
"${SANDMOTE:-sandmote}" pack --manifest manifest.json build/module.raw.wasm -o build/module.wasm
