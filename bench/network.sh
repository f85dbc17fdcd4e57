#!/bin/sh
# What network calls cost modules: bench/network.sh [--build DIR] [--rounds N] [--doc]
#
#   latency        register and publish, 1 to 20 in a row, from a module and from native code over the
#                  same client, with 10 ms between a message and its answer; on this machine
#   instructions   the same with answers that come at once, here and on the emulated Cortex-M4, and
#                  what the difference is of 10 ms at 64 MHz
#   footprint      flash and RAM on Cortex-M4
#
# The gateway is a function in memory (bench/network/field.c), so that both ways have the same one.
# DIR is where engines are built, build/bench-m4 by default; --rounds: of the timed program, of which
# the least counts, 10 by default; --doc writes doc/benchmarks/network.md with its plot. Exit status 1
# when a call does not end well.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
. "$here/common.sh"

engines=$root/build/bench-m4 rounds=10 doc=
while [ $# -gt 0 ]; do
    case $1 in
    --build) engines=$2 && shift ;;
    --rounds) rounds=$2 && shift ;;
    --doc) doc=yes ;;
    *) echo "bench/network.sh: unknown option $1" >&2 && exit 64 ;;
    esac
    shift
done
case $engines in /*) ;; *) engines=$PWD/$engines ;; esac
out=$engines/network
levels='Os O2 O2-thumb'
delay_ms=10
clock_mhz=64

# ---- Programs ------------------------------------------------------------------------------------

libraries() {
    echo "$1/src/host/libsm_host.a $1/src/mqttsn/libsm_mqttsn.a $1/src/sensor/libsm_sensor.a" \
        "$1/src/trust/libsm_trust.a"
}

prepare() {
    # shellcheck disable=SC2086 # levels are words
    build_engines "$engines" $levels
    for level in host $levels; do
        build "$engines/$level" "sm_host sm_mqttsn sm_trust"
    done
    mkdir -p "$out/host"
    compile_wasm "$here/network/module.c" "$out/module.wasm" -I"$root/guest/c" \
        -Wl,-z,stack-size=1024
    cp "$out/module.wasm" "$out/host/module.wasm"
    "$engines/for-m4/translate" "$out/module.wasm" "$out/module.image"
    "$engines/host/translate" "$out/host/module.wasm" "$out/host/module.image"
}

# on_host PROGRAM FLAG...: builds $out/PROGRAM of bench/network.
on_host() {
    program=$1
    shift
    # shellcheck disable=SC2046
    host_program "$engines" "$out/$program" "$@" -I"$here/network" "-DMODULE=\"$out/host/module\"" \
        "$here/network/$program.c" "$here/network/field.c" $(libraries "$engines/host")
}

run_programs() {
    on_host latency
    "$out/latency" "$rounds" $delay_ms >"$out/times"
    on_host calls "$here/port_host.c"
    "$out/calls" >"$out/calls-host"
    for level in $levels; do
        # shellcheck disable=SC2046
        firmware "$engines" "$level" "$out/calls-$level.elf" -I"$here/network" \
            "-DMODULE=\"$out/module\"" "$here/network/calls.c" "$here/network/field.c" \
            "$here/m4/port.c" $(libraries "$engines/$level")
        "$root/test/firmware/run" "$out/calls-$level.elf" >"$out/calls-$level"
    done
}

# ---- Tables --------------------------------------------------------------------------------------

row() {
    printf '|'
    printf ' %s |' "$@"
    echo
}

time_table() {
    row calls 'in a row' 'native, ms' 'module, ms' 'more, %'
    row --- ---: ---: ---: ---:
    awk -F '\t' '{ printf "| %s | %d | %.2f | %.2f | %.2f |\n", $1, $2, $3 / 1000, $4 / 1000, 100 * ($4 / $3 - 1) }' \
        "$out/times"
}

# Of one call: what twenty take, divided.
instruction_table() {
    row 'instructions of one call' 'x86-64: native' more 'M4 -Os: native' more 'M4 -O2: native' more 'M4 -O2, Thumb: native' more
    row --- ---: ---: ---: ---: ---: ---: ---: ---:
    (cd "$out" && awk -F '\t' '
        FNR == 1 { file++ }
        $2 == 20 { native[file, $1] = $3 / $2; more[file, $1] = ($4 - $3) / $2; if (file == 1) name[++k] = $1 }
        END {
            for (i = 1; i <= k; i++) {
                printf "| %s |", name[i]
                for (f = 1; f <= file; f++) printf " %.0f | %.0f |", native[f, name[i]], more[f, name[i]]
                print ""
            }
        }' calls-host calls-Os calls-O2 calls-O2-thumb)
}

# What the difference is of the answer's 10 ms on a microcontroller.
share_table() {
    row "of $delay_ms ms, at $clock_mhz MHz" '1 call, %' '20 calls, %'
    row --- ---: ---:
    awk -F '\t' -v ms=$delay_ms -v mhz=$clock_mhz '
        { waits = $1 == "publish 0" ? 0 : $1 == "publish 2" ? 2 : 1 }
        waits && ($2 == 1 || $2 == 20) {
            more[$1, $2] = 100 * ($4 - $3) / mhz / ($3 / mhz + waits * ms * 1000 * $2)
            if ($2 == 1) name[++k] = $1
        }
        END { for (i = 1; i <= k; i++) printf "| %s | %.3f | %.3f |\n", name[i], more[name[i], 1], more[name[i], 20] }' \
        "$out/calls-Os"
}

# Flash of what a device with a network links more, and RAM of its structs.
footprint_table() {
    row 'Cortex-M4, -Os' bytes
    row --- ---:
    host=$engines/Os/src/host/CMakeFiles/sm_host.dir
    # shellcheck disable=SC2046
    set -- $(arm-none-eabi-size -t "$host"/network*.c.obj | tail -n 1)
    row 'flash: the calls (network*.c)' "$1"
    # shellcheck disable=SC2046
    set -- $(arm-none-eabi-size "$host/grant.c.obj" | tail -n 1)
    row 'flash: grant.c' "$1"
    # shellcheck disable=SC2046
    set -- $(arm-none-eabi-size -t "$engines/Os/src/mqttsn/libsm_mqttsn.a" | tail -n 1)
    row 'flash: all of the client and its codec' "$1"
    {
        echo '#include <sandmote/network.h>'
        echo 'char a[sizeof(struct sm_network_session)], b[SM_NETWORK_MEMORY(1, 0, 0, 0) - SM_NETWORK_MEMORY(0, 0, 0, 0)],'
        echo 'c[SM_NETWORK_MEMORY(8, 3, 4, 128)];'
    } | arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -I"$root/include" -x c -c - -o "$out/ram.o"
    arm-none-eabi-nm -S --numeric-sort "$out/ram.o" | while read -r _ size _ name; do
        case $name in
        a) what='RAM: a session' ;;
        b) what='RAM: each topic' ;;
        *) what='RAM: 8 topics, 3 gateways, 4 messages of 128 bytes' ;;
        esac
        row "$what" "$(printf %d "0x$size")"
    done
}

prepare
run_programs
if [ -z "$doc" ]; then
    time_table
    echo
    instruction_table
    echo
    share_table
    echo
    footprint_table
    exit
fi
. "$here/network/page.sh"
