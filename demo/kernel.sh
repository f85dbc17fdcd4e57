#!/bin/sh
# A program of the field demo under a kernel that has netem, for hosts whose own has not: Debian's,
# emulated by QEMU, with the host's programs and libraries in its initial file system. x86-64 only.
#
#   demo/kernel.sh DIR BUILD PROGRAM [ARG...]    PROGRAM is one of BUILD/test/gateway
#
# tools/kernel fetches the kernel to DIR. The emulator has two processors and takes them from the
# host; nothing but the output of the program comes out.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$2" && pwd)
"$root/tools/kernel" "$1" amd64 linux-image-cloud-amd64
dir=$(cd "$1" && pwd)
shift 2
system=$dir/system
board=$dir/board
rm -rf "$board"

# put FILE...: to the same place there, programs with their libraries.
put() {
    for file; do
        mkdir -p "$board/${file%/*}"
        cp -L "$file" "$board/$file"
        ldd "$file" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
            mkdir -p "$board/${library%/*}"
            cp -L "$library" "$board/$library"
        done
    done
}

program=$build/test/gateway/$1
shift
mkdir -p "$board/bin" "$board/modules" "$board/etc" "$board/proc" "$board/sys" "$board/dev" "$board/tmp"
put /bin/sh "$(command -v ip)" "$(command -v tc)" "$(command -v sed)" "$(command -v rm)" \
    "$(PATH=$PATH:/usr/sbin command -v mosquitto)" "$program" "$build/app/sandmote-gateway/sandmote-gateway" \
    "$build"/modules/out/field*.wasm
cp "$root/demo/netem.sh" "$board/"
cp "$system/bin/busybox" "$board/bin/"
for module in sch_htb sch_netem cls_u32; do
    find "$system/lib/modules" -name $module.ko -exec cp {} "$board/modules/" \;
done
echo 'root:x:0:0:root:/:/bin/sh' >"$board/etc/passwd"
cat >"$board/init" <<INIT
#!/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
    busybox insmod \$module
done
echo "under Linux \$(busybox uname -r)"
/netem.sh --here $program $* && echo "the kernel's field passed"
busybox poweroff -f
INIT
chmod +x "$board/init"
(cd "$board" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$dir/initrd.gz"

timeout 600 qemu-system-x86_64 -accel tcg,thread=multi -smp 2 -m 1024 -nodefaults -display none -serial stdio \
    -no-reboot -kernel "$system"/boot/vmlinuz-* -initrd "$dir/initrd.gz" \
    -append "console=ttyS0 rdinit=/init quiet loglevel=0 panic=-1" </dev/null 2>&1 | tr -d '\r' | tee "$dir/log" || :
grep -q "^the kernel's field passed" "$dir/log"
