#!/bin/sh
# Makes build/module.wasm, which is what one signs.
# Needs cargo, rustc with the target wasm32-unknown-unknown (Debian: libstd-rust-dev-wasm32, lld), and
# sandmote on the PATH, or its path in $SANDMOTE.
set -eu
cd "$(dirname "$0")"
cargo=cargo
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ] && [ -x /usr/bin/cargo ]; then
    cargo=/usr/bin/cargo # another rustc is first on the PATH: Debian's own has the target
    export RUSTC=/usr/bin/rustc
fi
if linker=$(command -v wasm-ld || command -v wasm-ld-14); then
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$linker"
fi
"$cargo" build --release --offline --target-dir target
mkdir -p build
"${SANDMOTE:-sandmote}" pack --manifest manifest.json \
    target/wasm32-unknown-unknown/release/module.wasm -o build/module.wasm
