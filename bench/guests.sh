#!/bin/sh
# What a module's source and code take, by language, and a native program doing the same: Table 6 of
# the paper on WASI-SN. bench/guests.sh [--build DIR] [--doc]; DIR (default build/gcc) is where the
# modules are built; --doc writes doc/benchmarks/guests.md.
#
# Lines are those with code: neither blank nor comments only. A module's bytes are those of the .wasm
# as the compiler leaves it and of the packed one, with a manifest; the native program's those of its
# own code and constants for a Cortex-M4 at -Os, and with the driver that has to be linked with it.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)

build=$root/build/gcc doc=
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift ;;
    --doc) doc=yes ;;
    *) echo "bench/guests.sh: unknown option $1" >&2 && exit 64 ;;
    esac
    shift
done
case $build in /*) ;; *) build=$PWD/$build ;; esac
sandmote=$build/app/sandmote/sandmote modules=$build/modules/out
[ -x "$sandmote" ] || { echo "bench/guests.sh: no $sandmote: build first" >&2 && exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# lines FILE: with code. Comments are the same in all three languages, and no text here looks like one.
lines() {
    awk '
    {
        line = $0
        while (inside || (at = index(line, "/*"))) {
            if (!inside) { head = substr(line, 1, at - 1); line = substr(line, at + 2); inside = 1 }
            if (!(at = index(line, "*/"))) { line = ""; break }
            line = head substr(line, at + 2); head = ""; inside = 0
        }
        line = inside ? head : line; head = ""
        sub(/\/\/.*/, "", line)
        if (line ~ /[^ \t]/) n++
    }
    END { print n + 0 }' "$1"
}

bytes() {
    wc -c <"$1" | tr -d ' '
}

# module PROGRAM LANGUAGE SOURCE NAME
module() {
    [ -e "$modules/$4.wasm" ] || return 0
    "$sandmote" pack --manifest "$modules/$4.json" "$modules/$4.wasm" -o "$work/p.wasm" >"$work/log"
    printf '| %s | %s | %d | %d | %d | %d |\n' "$1" "$2" "$(lines "$root/modules/$3")" \
        "$(bytes "$root/modules/$3")" "$(bytes "$modules/$4.wasm")" "$(bytes "$work/p.wasm")"
}

# flash OBJECT...: code, constants and initial data.
flash() {
    arm-none-eabi-size -t "$@" | awk 'END { print $1 + $2 }'
}

native() {
    for source in bench/guests/native.c src/sensor/bme280.c src/sensor/registers.c; do
        arm-none-eabi-gcc -std=c11 -mcpu=cortex-m4 -mthumb -Os -ffunction-sections -fdata-sections \
            -Wall -Wextra -Werror -I"$root/include" -c "$root/$source" -o "$work/${source##*/}.o"
    done
    printf '| %s | %s | %d | %d | %d | %d with the driver |\n' "access sensors" "native C" \
        "$(lines "$here/guests/native.c")" "$(bytes "$here/guests/native.c")" \
        "$(flash "$work/native.c.o")" "$(flash "$work"/*.c.o)"
}

# The native program does what the modules do: here against the simulated chip.
check_native() {
    gcc -std=gnu11 -O2 -Wall -Wextra -Werror -I"$root/include" -I"$root/port" "$here/guests/native.c" \
        "$here/guests/board_sim.c" "$here/guests/board_host.c" "$build/port/sim/libsm_sim.a" \
        "$build/src/sensor/libsm_sensor.a" "$build/libsm_base.a" -o "$work/native"
    "$work/native" >"$work/log" && grep -q "^[1-9]" "$work/log" ||
        { echo "bench/guests.sh: the native program fails" >&2 && exit 1; }
}

table() {
    echo "| program | language | lines | bytes of source | bytes of code | bytes on the device |"
    echo "| --- | --- | ---: | ---: | ---: | ---: |"
    module "access sensors" "module, C" listing2/listing2.c listing2
    native
    for name in climate logger; do
        module $name C $name/$name.c $name
        module $name Rust $name/$name.rs $name-rs
        module $name AssemblyScript $name/$name.ts $name-as
    done
    echo
    echo "The paper's: *access sensors* as a module 10 lines and 357 bytes, native 23 lines and 893 bytes."
}

check_native
if [ -z "$doc" ]; then
    table
    exit
fi
text=$(table)
cat >"$root/doc/benchmarks/guests.md" <<MD
# Modules beside native programs, in lines and bytes

\`./dev bench --guests\` prints this; \`./dev bench --guests --doc\` writes this page. It is Table 6 of
the paper on WASI-SN.

- *lines*: with code, neither blank nor comments alone; *bytes of source* are those of the whole file.
- *bytes of code*: a module's \`.wasm\` as the compiler leaves it; the native program's own code and
  constants, for a Cortex-M4 at -Os.
- *bytes on the device*: the packed \`.wasm\`, with its manifest (the device adds its image: doc/size.md,
  doc/benchmarks/engine.md); of the native program, with the driver of the sensor, which a module does not
  carry.

*Access sensors* is the paper's Listing 2. The native program is modules/listing2 written against the
driver library (bench/guests/native.c), and runs against the simulated chip each time this is measured:
without a runtime, who waits for the sensor and keeps its interval is the program. It knows the bus and the
address, so it fits one board; the module fits all.

$(clang --version | head -n 1); $(/usr/bin/rustc --version); AssemblyScript 0.27.37; $(arm-none-eabi-gcc --version | head -n 1).

$text
MD
