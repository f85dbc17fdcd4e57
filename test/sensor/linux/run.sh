#!/bin/sh
# The buses of a Linux host under a real kernel: Debian's for Armv7 on QEMU's sabrelite (i.MX6), whose
# I2C, SPI and serial controllers the kernel drives. Chips: QEMU's TMP105, a DPS310 that the kernel
# makes an IIO sensor of, the flash chip of the board, and the simulated transmitter at the other end
# of the serial line.
#
#   test/sensor/linux/run.sh DIR TRANSMITTER     TRANSMITTER is the host's program
#
# Kernel and busybox are Debian's for armhf, which tools/kernel fetches to DIR. Takes about a minute
# when they are there.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
transmitter=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
mkdir -p "$1"
dir=$(cd "$1" && pwd)

"$root/tools/kernel" "$dir" armhf linux-image-armmp
system=$dir/system
kernel=$(ls "$system"/boot/vmlinuz-*)
version=${kernel##*/vmlinuz-}

# The initial file system.
board=$dir/board
rm -rf "$board"
mkdir -p "$board/bin" "$board/modules" "$board/proc" "$board/sys" "$board/dev"
cp "$system/bin/busybox" "$board/bin/"
cp "$here/init" "$board/init"
for module in gpio-mxc i2c-imx spi-imx i2c-dev industrialio dps310; do
    find "$system/lib/modules" -name $module.ko -exec cp {} "$board/modules/" \;
done
arm-linux-gnueabihf-gcc -std=gnu11 -O2 -static -Wall -Wextra -Werror -I"$root/include" -I"$root/port" \
    "$root"/src/sensor/*.c "$root/src/error.c" "$root/port/posix/bus.c" "$root/port/posix/iio.c" \
    "$here/board.c" -o "$board/board" -lm
(cd "$board" && find . | cpio -o -H newc 2>/dev/null | gzip) >"$dir/initrd.gz"

# The serial line without DMA, which QEMU's controller has not.
tree=$dir/board.dtb
cp "$system/usr/lib/linux-image-$version/imx6q-sabrelite.dtb" "$tree"
fdtput -d "$tree" /soc/bus@2000000/spba-bus@2000000/serial@2020000 dmas dma-names

log=$dir/log
: >"$log"
rm -f "$dir/line"

# What the board asks to be played, for as long as it runs.
play() {
    echo '{"execute": "qmp_capabilities"}'
    played=
    turns=0
    until grep -q '^board ' "$log" || [ $turns -gt 900 ]; do
        wish=$(sed -n 's/^play  \(-*[0-9]*\).*/\1/p' "$log" | tail -n 1)
        if [ "$wish" != "$played" ]; then
            played=$wish
            [ "$wish" != 30500 ] || wish=30900 # which 9 bits cannot hold
            printf '{"execute": "qom-set", "arguments": {"path": "/machine/peripheral/t0", %s}}\n' \
                "\"property\": \"temperature\", \"value\": $wish"
        fi
        turns=$((turns + 1))
        sleep 0.1
    done
    echo '{"execute": "quit"}'
}

(
    until [ -S "$dir/line" ]; do sleep 0.1; done
    exec "$transmitter" "$dir/line"
) &
play | timeout 120 qemu-system-arm -M sabrelite -m 512 -display none -monitor none -qmp stdio \
    -chardev socket,id=line,path="$dir/line",server=on,wait=off -serial chardev:line -serial file:"$log" \
    -kernel "$kernel" -dtb "$tree" -initrd "$dir/initrd.gz" \
    -append "console=ttymxc1,115200 rdinit=/init quiet" \
    -device tmp105,bus=i2c-bus.0,address=0x48,id=t0 -device dps310,bus=i2c-bus.0,address=0x77 \
    >"$dir/qmp.log" || :
tr -d '\r' <"$log" | grep -v '^\['
grep -q '^board passed' "$log"
