#!/bin/sh
# What the sensor interface costs modules: bench/sensors.sh [--build DIR] [--rounds N] [--doc]
#
#   reads        1 to 1024 reads of a BME280 by handle and by name, beside the same driver called by
#                native code: time on the host, instructions there and on the emulated Cortex-M4, and
#                what that is at 64 MHz with the bus at 100 and 400 kHz
#   calls        what one call costs, of a value that is recent and of one that a driver which is done
#                at once has to measure (sensors/calls.c)
#   life cycle   what a module takes from its start to its end, stage by stage
#   footprint    flash and RAM on Cortex-M4, beside a native program that does the same
#
# The chip is simulated, its bus takes no time; the time of the wires is computed from the bits of a
# burst. DIR is where engines are built, build/bench-m4 by default; --rounds: runs of the timed
# programs, of which the best counts, 20 by default; --doc writes doc/benchmarks/sensors.md with its
# plots. The programs are in bench/sensors. Exit status 1 when a way to read gives another value than
# native code, or uses the bus more often.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
. "$here/common.sh"

engines=$root/build/bench-m4 rounds=20 doc=
while [ $# -gt 0 ]; do
    case $1 in
    --build) engines=$2 && shift ;;
    --rounds) rounds=$2 && shift ;;
    --doc) doc=yes ;;
    *) echo "bench/sensors.sh: unknown option $1" >&2 && exit 64 ;;
    esac
    shift
done
case $engines in /*) ;; *) engines=$PWD/$engines ;; esac
out=$engines/sensors
levels='Os O2 O2-thumb'
clock_mhz=64

# ---- Programs ------------------------------------------------------------------------------------

# libraries DIR: what a program with sensors needs of a build, in front of the engine.
libraries() {
    echo "$1/src/host/libsm_host.a $1/port/sim/libsm_sim.a $1/src/sensor/libsm_sensor.a" \
        "$1/src/trust/libsm_trust.a $1/src/mqttsn/libsm_mqttsn.a"
}

prepare() {
    # shellcheck disable=SC2086 # levels are words
    build_engines "$engines" $levels
    for level in host $levels; do
        build "$engines/$level" "sm_host sm_sim sm_trust sm_mqttsn"
    done
    mkdir -p "$out/host"
    wat2wasm "$here/sensors/calls.wat" -o "$out/calls.wasm"
    cp "$out/calls.wasm" "$out/host/calls.wasm"
    "$engines/for-m4/translate" "$out/calls.wasm" "$out/calls.image"
    "$engines/host/translate" "$out/host/calls.wasm" "$out/host/calls.image"
    compile_wasm "$here/sensors/module.c" "$out/module.wasm" -I"$root/guest/c" \
        -Wl,-z,stack-size=1024
    cp "$out/module.wasm" "$out/host/module.wasm"
    "$engines/for-m4/translate" "$out/module.wasm" "$out/module.image"
    "$engines/host/translate" "$out/host/module.wasm" "$out/host/module.image"
    sandmote=$engines/host/app/sandmote/sandmote
    "$sandmote" aot --memory 2048 "$out/module.wasm" -o "$out/host/module.native"
    "$sandmote" aot --target thumbv7em-none-eabihf --memory 2048 "$out/module.wasm" -o "$out/module.native"
    "$sandmote" aot --memory 2048 "$out/calls.wasm" -o "$out/host/calls.native"
    "$sandmote" aot --target thumbv7em-none-eabihf --memory 2048 "$out/calls.wasm" -o "$out/calls.native"
}

# on_host PROGRAM NAME PORT.c FLAG...: builds $out/NAME of bench/sensors/PROGRAM.c.
on_host() {
    program=$1 name=$2 port=$3
    shift 3
    # shellcheck disable=SC2046
    host_program "$engines" "$out/$name" "$@" -I"$root/port" -I"$here/sensors" \
        "-DMODULE=\"$out/host/module\"" "$here/sensors/$program.c" "$here/sensors/device.c" \
        "$port" $(libraries "$engines/host")
}

# on_m4 PROGRAM NAME LEVEL FLAG...: builds and runs it; what it prints goes to $out/NAME.
on_m4() {
    program=$1 name=$2 level=$3
    shift 3
    # shellcheck disable=SC2046
    firmware "$engines" "$level" "$out/$name.elf" "$@" -I"$root/port" -I"$here/sensors" \
        "-DMODULE=\"$out/module\"" "$here/sensors/$program.c" "$here/sensors/device.c" \
        "$here/m4/port.c" $(libraries "$engines/$level")
    "$root/test/firmware/run" "$out/$name.elf" >"$out/$name"
}

# best NAME TO: runs $out/NAME and $out/NAME-aot in turns; the least of each line to TO and TO-aot.
best() {
    for turn in "" -aot; do : >"$out/all$turn"; done
    i=0
    while [ $i -lt "$rounds" ]; do
        for turn in "" -aot; do "$out/$1$turn" >>"$out/all$turn"; done
        i=$((i + 1))
    done
    for turn in "" -aot; do
        awk -F '\t' -v OFS='\t' '
            { key = $1 OFS $2 }
            !(key in least) { order[++n] = key }
            !(key in least) || $3 < least[key] { least[key] = $3 }
            END { for (i = 1; i <= n; i++) print order[i], least[order[i]] }' \
            "$out/all$turn" >"$out/$2$turn"
    done
}

# One call, on the host and on the microcontroller.
run_calls() {
    on_host calls calls-counted "$here/port_host.c" -DCALLS=50 "-DSENSORS=\"$out/host/calls\""
    on_host calls calls-counted-aot "$here/port_host.c" -DCALLS=50 \
        "-DSENSORS=\"$out/host/calls\"" "-DNATIVE=\"$out/host/calls.native\""
    for turn in "" -aot; do "$out/calls-counted$turn" >"$out/calls-host$turn"; done
    for level in $levels; do
        on_m4 calls "calls-$level" "$level" "-DSENSORS=\"$out/calls\""
    done
    on_m4 calls calls-m4-aot O2 "-DSENSORS=\"$out/calls\"" "-DNATIVE=\"$out/calls.native\""
}

native_host="-DNATIVE=\"$out/host/module.native\""
native_m4="-DNATIVE=\"$out/module.native\""

run_programs() {
    on_host reads timed "$here/port_time.c"
    on_host reads timed-aot "$here/port_time.c" "$native_host"
    best timed reads-time
    # A signal for each instruction is slow: what 8 reads take tells what each takes.
    for program in reads stages; do
        on_host $program "$program-counted" "$here/port_host.c" -DMOST_READS=8
        on_host $program "$program-counted-aot" "$here/port_host.c" -DMOST_READS=8 "$native_host"
        for turn in "" -aot; do "$out/$program-counted$turn" >"$out/$program-host$turn"; done
        for level in $levels; do
            on_m4 $program $program-$level "$level"
        done
        on_m4 $program $program-m4-aot O2 "$native_m4"
    done
}

# flash_and_ram NAME SOURCE-OR-FLAG...: links $out/NAME.elf at -Os, and runs it: its RAM to $out/NAME.
flash_and_ram() {
    name=$1
    shift
    # shellcheck disable=SC2046
    firmware "$engines" Os "$out/$name.elf" "-Wl,-Map=$out/$name.map" -I"$root/port" \
        -I"$here/sensors" "$@" $(libraries "$engines/Os")
    "$root/test/firmware/run" "$out/$name.elf" >"$out/$name"
    "$root/tools/size" --map "$out/$name.map" >"$out/$name.origins"
}

# The paper's Listing 2, as a module and as a native program.
footprints() {
    compile_wasm "$root/modules/listing2/listing2.c" "$out/listing2.wasm" -Oz -I"$root/guest/c" \
        -Wl,-z,stack-size=1024 -Wno-return-type "$root/guest/c/start.c"
    "$engines/for-m4/translate" "$out/listing2.wasm" "$out/listing2.image"
    flash_and_ram footprint "-DMODULE=\"$out/listing2\"" "$here/sensors/footprint.c" \
        "$here/sensors/device.c"
    flash_and_ram footprint-native "$here/sensors/native_m4.c" "$here/guests/native.c" \
        "$here/guests/board_sim.c"
}

# ---- Tables --------------------------------------------------------------------------------------

# row CELL...: of a Markdown table.
row() {
    printf '|'
    printf ' %s |' "$@"
    echo
}

# Time on the host beside native, of one interleaved run.
time_table() {
    row reads 'native us' 'by handle' 'by name' 'by handle, native image' 'by name, native image'
    row ---: ---: ---: ---: ---: ---:
    awk -F '\t' '
        FNR == 1 { file++ }
        $1 ~ /^(native|reads by)/ { cost[file, $1, $2] = $3; if (file == 1 && $1 == "native") n[++k] = $2 }
        END {
            for (i = 1; i <= k; i++) {
                printf "| %d | %.2f |", n[i], cost[1, "native", n[i]] / 1000
                for (f = 1; f <= 2; f++)
                    printf " %.2f | %.2f |", cost[f, "reads by handle", n[i]] / cost[f, "native", n[i]],
                        cost[f, "reads by name", n[i]] / cost[f, "native", n[i]]
                print ""
            }
        }' "$out/reads-time" "$out/reads-time-aot"
}

# The same with the time of the wires on both sides, in percent.
bus_table() {
    row reads '100 kHz, by handle' 'by name' 'by handle, native image' '400 kHz, by handle' 'by name' 'by handle, native image'
    row ---: ---: ---: ---: ---: ---: ---:
    awk -F '\t' '
        FNR == 1 { file++ }
        { cost[file, $1, $2] = $3; if (file == 1 && $1 == "native") n[++k] = $2 }
        function more(f, way, n, khz,    bus) {
            bus = n * cost[f, "ns at " khz " kHz", 1]
            return 100 * ((cost[f, way, n] + bus) / (cost[f, "native", n] + bus) - 1)
        }
        END {
            for (i = 1; i <= k; i++) {
                printf "| %d |", n[i]
                for (khz = 100; khz <= 400; khz += 300)
                    printf " %.3f | %.3f | %.3f |", more(1, "reads by handle", n[i], khz),
                        more(1, "reads by name", n[i], khz), more(2, "reads by handle", n[i], khz)
                print ""
            }
        }' "$out/reads-time" "$out/reads-time-aot"
}

# What one read costs more than native, in instructions. The columns are the files; a read is the difference between the two highest numbers of reads, halved.
instruction_table() {
    row instructions 'x86-64' 'x86-64, native image' 'M4 -Os' 'M4 -O2' 'M4 -O2, Thumb' 'M4 -O2, native image'
    row --- ---: ---: ---: ---: ---: ---:
    (cd "$out" && awk -F '\t' '
        FNR == 1 { file++ }
        { cost[file, $1, $2] = $3; if ($2 > most[file]) most[file] = $2 }
        function read_of(f, way,    m) { m = most[f]; return (cost[f, way, m] - cost[f, way, m / 2]) * 2 / m }
        function line(what, values) { printf "| %s |%s\n", what, values }
        END {
            for (f = 1; f <= file; f++) {
                driver = read_of(f, "native") - cost[f, "the chip", 1]
                a = a sprintf(" %.0f |", driver)
                b = b sprintf(" %.0f |", read_of(f, "reads by handle") - read_of(f, "native"))
                c = c sprintf(" %.0f |", read_of(f, "reads by name") - read_of(f, "native"))
            }
            line("native: one read, the driver alone", a)
            line("more than that: three values by handle", b)
            line("more than that: one value by name", c)
        }' reads-host reads-host-aot reads-Os reads-O2 reads-O2-thumb reads-m4-aot)
}

call_table() {
    row 'one call, instructions' 'x86-64' 'x86-64, native image' 'M4 -Os' 'M4 -O2' 'M4 -O2, Thumb' 'M4 -O2, native image'
    row --- ---: ---: ---: ---: ---: ---:
    (cd "$out" && paste calls-host calls-host-aot calls-Os calls-O2 calls-O2-thumb calls-m4-aot) |
        awk -F '\t' '{ printf "| %s | %d | %d | %d | %d | %d | %d |\n", $1, $2, $4, $6, $8, $10, $12 }'
}

# timing FILE START-FILE: microseconds at the nominal clock, reads times the bus beside, the chip's
# simulation left out.
timing_table() {
    row reads 'native ms' 'by handle, % more' 'by name, % more' 'by handle at 100 kHz, % more' 'with all before the first read, % more'
    row ---: ---: ---: ---: ---: ---:
    awk -F '\t' -v mhz=$clock_mhz '
        NR == FNR { if ($2 == 1) stage[$1] = $3; next }
        { cost[$1, $2] = $3; if ($1 == "native") n[++k] = $2 }
        function us(way, n, khz) { return (cost[way, n] - n * cost["the chip", 1]) / mhz + n * cost["ns at " khz " kHz", 1] / 1000 }
        function more(a, b) { return 100 * (a / b - 1) }
        END {
            before = (stage["runtime init"] + stage["load"] + stage["instantiate"] + stage["environment"] + stage["sensor on"] - stage["native sensor on"]) / mhz
            for (i = 1; i <= k; i++)
                printf "| %d | %.2f | %.2f | %.2f | %.2f | %.2f |\n", n[i], us("native", n[i], 400) / 1000,
                    more(us("reads by handle", n[i], 400), us("native", n[i], 400)),
                    more(us("reads by name", n[i], 400), us("native", n[i], 400)),
                    more(us("reads by handle", n[i], 100), us("native", n[i], 100)),
                    more(us("reads by handle", n[i], 400) + before, us("native", n[i], 400))
        }' "$2" "$1"
}

# Stages by the files, for a life with one read. Of what native code does too, only what is more.
stage_table() {
    row stage 'x86-64' 'x86-64, native image' 'M4 -Os' 'M4 -O2' 'M4 -O2, Thumb' 'M4 -O2, native image'
    row --- ---: ---: ---: ---: ---: ---:
    (cd "$out" && awk -F '\t' '
        FNR == 1 { file++ }
        $2 <= 1 { cost[file, $1] = $3 }
        $2 <= 1 && file == 1 && $1 !~ /^native/ { name[++k] = $1 }
        END {
            for (i = 1; i <= k; i++) {
                compared = name[i] == "sensor on" || name[i] == "reads"
                text = name[i] == "reads" ? "one read" : name[i]
                printf "| %s |", compared ? text ", more than native" : text
                for (f = 1; f <= file; f++)
                    printf " %d |", cost[f, name[i]] - (compared ? cost[f, "native " name[i]] : 0)
                print ""
            }
        }' stages-host stages-host-aot stages-Os stages-O2 stages-O2-thumb stages-m4-aot)
}

# Flash by origin; the simulated chip, which both have, stands for a board and is left out. Of the
# compiler's routines (libgcc) it needs those for doubles.
flash_table() {
    row 'flash, bytes' native module
    row --- ---: ---:
    awk '
        { name = $1; for (i = 2; i <= NF - 2; i++) name = name " " $i; value = $(NF - 1) }
        { if (!(name in seen)) { seen[name] = 1; order[++n] = name } flash[FILENAME == ARGV[1], name] = value }
        END {
            for (i = 1; i <= n; i++) {
                if (order[i] ~ /^(sim|libm)$/) continue
                printf "| %s | %d | %d |\n", order[i], flash[1, order[i]], flash[0, order[i]]
                native += flash[1, order[i]]; module += flash[0, order[i]]
            }
            printf "| all of these | %d | %d |\n", native, module
        }' "$out/footprint-native.origins" "$out/footprint.origins"
}

ram_table() {
    row 'RAM, bytes' native module
    row --- ---: ---:
    awk -F '\t' '
        FNR == 1 { file++ }
        { printf file == 1 ? "| %s | %d | |\n" : "| %s | | %d |\n", $1, $2; all[file] += $2 }
        END { printf "| all | %d | %d |\n", all[1], all[2] }' "$out/footprint-native" "$out/footprint"
}

timings() {
    for level in $levels; do
        printf '\nEngine at %s:\n\n' "$(echo "$level" | sed 's/^/-/; s/-thumb/ with handlers in assembly/')"
        timing_table "$out/reads-$level" "$out/stages-$level"
    done
    printf '\nNative image:\n\n'
    timing_table "$out/reads-m4-aot" "$out/stages-m4-aot"
}

prepare
run_programs
run_calls
footprints
if [ -z "$doc" ]; then
    time_table
    echo
    bus_table
    echo
    instruction_table
    echo
    call_table
    timings
    echo
    stage_table
    echo
    flash_table
    echo
    ram_table
    exit
fi
. "$here/sensors/page.sh"
