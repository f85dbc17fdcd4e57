#!/bin/sh
# Builds the device side for Cortex-M4, looks whether it keeps to its limits of flash, and runs its
# firmware, or says what is missing for that.
#
#   test/firmware/cross.sh DIR [SANDMOTE]     SANDMOTE is the host's tool
#
# SPDX-License-Identifier: Apache-2.0
set -eu
for tool in arm-none-eabi-gcc qemu-system-arm; do
    command -v $tool >/dev/null 2>&1 || { echo "skipped: no $tool"; exit 77; }
done
tools=$(dirname "$0")/../../tools
SANDMOTE=${2:-} "$tools/cross" "$1"
"$tools/size" --check "$1"
