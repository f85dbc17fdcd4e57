#!/bin/sh
# The SDK for C: its toolchain file, its headers without and with a C library.
# c.sh SANDMOTE ROOT MODULES WASM-OBJDUMP
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 root=$2 modules=$3 objdump=$4
. "$root/test/cli/lib.sh"

mkdir "a project" && cd "a project" || exit 1
for name in climate logger listing2 field listing3; do
    cp "$root/modules/$name/$name.c" "$root/modules/$name/manifest.json" .
    mv manifest.json $name.json
done
cat >CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.22)
project(examples C)
sandmote_module(climate SOURCES climate.c MANIFEST climate.json)
sandmote_module(logger SOURCES logger.c)
sandmote_module(listing2 SOURCES listing2.c MANIFEST listing2.json MAIN)
sandmote_module(field SOURCES field.c MANIFEST field.json)
sandmote_module(listing3 SOURCES listing3.c MANIFEST listing3.json MAIN)
EOF
expect 0 cmake -S . -B build -G Ninja -DCMAKE_TOOLCHAIN_FILE="$root/guest/c/sandmote.cmake" \
    -DSANDMOTE="$sandmote"
expect 0 cmake --build build
for name in climate logger listing2 field listing3; do # what modules/build.sh makes of them, by flags of its own
    is cmp build/$name.raw.wasm "$modules/$name.wasm"
done
expect 0 "$sandmote" inspect build/climate.wasm
shows 'climate'
expect 0 "$sandmote" inspect build/listing2.wasm
is test ! -e build/logger.wasm
cd ..

printf 'project(x C)\nsandmote_module(x MANIFEST x.json)\n' >CMakeLists.txt
expect 1 cmake -S . -B none -G Ninja -DCMAKE_TOOLCHAIN_FILE="$root/guest/c/sandmote.cmake"
says 'sandmote_module(NAME SOURCES FILE...'

# compile FLAG...: x.c to x.wasm.
compile() {
    expect 0 clang --target=wasm32 -std=c11 -Wall -Wextra -Werror -O1 -I"$root/guest/c" "$@" x.c -o x.wasm
    expect 0 "$objdump" -x x.wasm
}

# Every call of a plugin is an import of "env", with the types that are its contract.
cat >x.c <<'EOF'
#include <plugin.h>
SM_EXPORT("all") int32_t all(void)
{
    uint8_t b[2] = {0};
    uint16_t r[2] = {0};

    return i2c_read(0x48, 0, b, 2) + i2c_write(0x48, 0, b, 2) + spi_transfer(b, b, 2) +
           modbus_read(1, r, 2) + modbus_write(1, r, 2);
}
EOF
compile -nostdlib -Wl,--no-entry
for name in i2c_read i2c_write spi_transfer modbus_read modbus_write; do
    shows "<$name> <- env.$name"
done
shows '(i32, i32, i32, i32) -> i32'
shows '(i32, i32, i32) -> i32'

# With a C library the plain names are there but for read(), which is the library's.
cat >x.c <<'EOF'
#include <string.h>
#include <unistd.h>
#include <wasi_sn.h>
int main(void)
{
    char buf[4], names[40];

    memset(names, 0, sizeof names);
    if (getSensors(names, sizeof names) && turnOn(names) && config(names, "SampRate", 0) &&
        wasi_sn_read(names, "humidity", buf, 4))
        return read(0, buf, sizeof buf) > 0;
    return turnOff(names);
}
EOF
compile --target=wasm32-wasi
for name in getSensors turnOn turnOff config read; do
    shows "<- wasi_sn.$name"
done
shows 'wasi_snapshot_preview1.fd_read'

# The network's too, but for sleep(); and `register` is still a word of C.
cat >x.c <<'EOF'
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wasi_sn_network.h>
int main(void)
{
    register int topic = register("a/b");
    char data[4] = "abc";
    struct wasi_sn_network now;

    if (start(0) < 0 || !searchGW("ff02::1", 10000, 1) || !connect("c", 30, "", 0))
        return wasi_sn_lastError();
    if (publish(topic, 1, data) && publish(topic, 2, data, 3) && subscribe(topic, 0) &&
        hasMessage(topic) && getMessage(topic, data, 4) > 0 && wasi_sn_sleep(60) &&
        wasi_sn_collect() && awake() && wasi_sn_peekMessage(0, data, 4) < 0 &&
        wasi_sn_subscribeTo("a/#", 1) > 0 && wasi_sn_unsubscribe(topic))
        return wasi_sn_network(&now) + (int)sleep(1);
    return disconnect() + stop();
}
EOF
compile --target=wasm32-wasi
for name in start stop searchGW connect disconnect register publish subscribe hasMessage getMessage \
    sleep awake collect subscribeTo unsubscribe peekMessage network lastError; do
    shows "<- wasi_sn.$name"
done
shows 'wasi_snapshot_preview1.poll_oneoff' # its own sleep()

# Without a length only what has one is published.
printf '#include <wasi_sn_network.h>\nint f(const char *p) { return publish(1, 0, p); }\n' >x.c
expect 1 clang --target=wasm32 -std=c11 -nostdlib -I"$root/guest/c" -c x.c -o x.o

finish
