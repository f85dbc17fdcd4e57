#!/bin/sh
# What the thermostat firmware needs for native code: native.sh DIR [SANDMOTE]
#
# DIR has thermostat-1.wasm and its manifest. It gets packed.wasm, packed.native and its claim, and
# builder.key, the 32 bytes of the key that signed it; or files of one byte without the tool.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
cd "$1"
sandmote=${2:-}
rm -f builder.pem builder.pub.pem packed.*
if [ -z "$sandmote" ]; then
    for file in packed.wasm packed.native packed.native.sig builder.key; do
        printf '\0' >$file
    done
    exit 0
fi
"$sandmote" pack --manifest thermostat-1.json thermostat-1.wasm -o packed.wasm
"$sandmote" aot --target thumbv7em-none-eabihf --cc "arm-none-eabi-gcc -Wall -Wextra -Werror" packed.wasm -o packed.native
"$sandmote" key new builder.pem
"$sandmote" sign --native --key builder.pem packed.native
openssl pkey -pubin -in builder.pub.pem -outform DER | tail -c 32 >builder.key
