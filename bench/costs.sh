#!/bin/sh
# What the engine costs beside running code: bench/costs.sh [--build DIR] [--m4-build DIR]
#
#   epoch checks       their part of the instructions, kernel by kernel
#   host call          instructions for one i32 in and one out
#   stopping           the most instructions from a deadline to the end of the run, by what ran
#   translation        host instructions (callgrind) for each byte of code; size of the image
#   memory             RAM on the microcontroller, beyond linear memory
#
# On this machine instructions are counted one by one (bench/port_host.c), on the emulated Cortex-M4
# by its timer. The programs and modules they use are in bench/costs.c, bench/m4/memory.c and
# bench/wasm. The first DIR has the built sandmote and is build/gcc by default, the other is
# build/bench-m4.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
. "$here/common.sh"

build=$root/build/gcc out=$root/build/bench-m4
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift ;;
    --m4-build) out=$2 && shift ;;
    *) echo "bench/costs.sh: unknown option $1" >&2 && exit 64 ;;
    esac
    shift
done
mkdir -p "$out"
build_engines "$out" O2 Os O2-thumb

# ---- Host calls and stopping ---------------------------------------------------------------------

modules() {
    awk -f "$here/wasm/long.awk" >"$out/long.wat"
    wat2wasm "$out/long.wat" -o "$out/long.wasm"
    wat2wasm "$here/wasm/costs.wat" -o "$out/costs.wasm"
    wat2wasm "$here/wasm/start.wat" -o "$out/start.wasm"
    for module in long costs start; do
        "$out/for-m4/translate" "$out/$module.wasm" "$out/$module.image"
        cp "$out/$module.wasm" "$out/host/$module.wasm"
        "$out/host/translate" "$out/$module.wasm" "$out/host/$module.image"
        "$out/host/app/sandmote/sandmote" aot --checks "$out/$module.wasm" -o "$out/host/$module.native"
        "$out/host/app/sandmote/sandmote" aot --target thumbv7em-none-eabihf "$out/$module.wasm" \
            -o "$out/$module-m4.native"
    done
}

# on_host TO FLAG..., on_m4 LEVEL TO FLAG...: costs.c there.
on_host() {
    to=$1
    shift
    host_program "$out" "$to.program" "$@" "$here/port_host.c"
    "$to.program" >"$to"
}

on_m4() {
    level=$1 result=$2
    shift 2
    firmware "$out" "$level" "$result.elf" "$@" "$here/m4/port.c"
    "$root/test/firmware/run" "$result.elf" >"$result"
}

# costs_of FOLDER COMMAND...: with the modules and images in FOLDER.
costs_of() {
    folder=$1
    shift
    "$@" "-DCOSTS=\"$folder/costs\"" "-DLONG=\"$folder/long\"" "-DSTART=\"$folder/start\"" "$here/costs.c"
}

costs() {
    costs_of "$out/host" on_host "$out/costs-host"
    costs_of "$out" on_m4 O2 "$out/costs-O2"
    costs_of "$out" on_m4 Os "$out/costs-Os"
    costs_of "$out" on_m4 O2-thumb "$out/costs-thumb"
    costs_of "$out/host" on_host "$out/costs-aot" '-DNATIVE=".native"'
    costs_of "$out" on_m4 O2 "$out/costs-m4-aot" '-DNATIVE="-m4.native"'
    printf '%-36s %10s %10s %10s %10s %10s %10s\n' instructions x86-64 'M4 -O2' 'M4 -Os' 'M4 Thumb' \
        'x86 aot' 'M4 aot'
    paste "$out/costs-host" "$out/costs-O2" "$out/costs-Os" "$out/costs-thumb" "$out/costs-aot" \
        "$out/costs-m4-aot" |
        awk -F '\t' '{ printf "%-36s %10d %10d %10d %10d %10d %10d\n", $1, $2, $4, $6, $8, $10, $12 }'
}

# ---- Epoch checks --------------------------------------------------------------------------------

# percent ROWS CHECKED UNCHECKED: by what the first column, by its name, exceeds the second, in lines.
percent() {
    awk -v a="$2" -v b="$3" 'NR == 1 {
        for (i = 1; i <= NF; i++) at[$i] = i
        next
    }
    {
        ratio = $at[a] / $at[b]; logs += log(ratio); n++
        printf "%s\t%.2f\n", $1, 100 * (ratio - 1)
    }
    END { printf "geo. mean\t%.2f\n", 100 * (exp(logs / n) - 1) }' "$1"
}

epoch() {
    build "$out/unchecked" app/sandmote/sandmote -DSM_SWITCHES="$unchecked"
    "$here/run.sh" --build "$build" --callgrind --peer "unchecked=$out/unchecked/app/sandmote/sandmote \
run --class edge --epoch-ms 600000 --invoke run {wasm} {n}" >"$out/log"
    percent "$build/bench/Minstr.rows" sandmote unchecked >"$out/epoch-host"
    "$here/m4.sh" --build "$out" --levels 'O2 O2-unchecked' >"$out/log"
    percent "$out/m4.rows" O2 O2-unchecked >"$out/epoch-m4"
    printf '%-36s %10s %10s\n' 'epoch checks cost, %' x86-64 'M4 -O2'
    awk -F '\t' 'NR == FNR { m4[$1] = $2; next }
        { printf "%-36s %10s %10s\n", $1, $2, $1 in m4 ? m4[$1] : "-" }' \
        "$out/epoch-m4" "$out/epoch-host"
}

# ---- Translation ---------------------------------------------------------------------------------

# translation NAME ENGINE: instructions and image of $out/NAME.wasm.
translation() {
    valgrind --tool=callgrind --toggle-collect=sm_wasm_translate --callgrind-out-file=/dev/null \
        --log-file="$out/log" "$out/$2/translate" "$out/$1.wasm" "$out/translated.image"
    echo "$1 $2 $(wc -c <"$out/$1.wasm") $(code_bytes "$out/$1.wasm")" \
        "$(wc -c <"$out/translated.image") $(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$out/log")" |
        awk '{ printf "%-10s %-8s %10d %10d %10d %12.2f %16.1f\n", $1, $2, $3, $4, $5, $5 / $4, $6 / $4 }'
}

# With this machine's own engine, and with the microcontroller's.
translations() {
    large_module "$out/large.wasm"
    large_module "$out/tight.wasm" -Wl,-O2,--compress-relocations
    "$out/for-m4/translate" "$out/large.wasm" "$out/large.image" # for memory()
    printf '%-10s %-8s %10s %10s %10s %12s %16s\n' module engine bytes code image image/code \
        instr/code-byte
    for engine in host for-m4; do
        translation large "$engine"
        translation tight "$engine"
    done
}

# ---- Memory --------------------------------------------------------------------------------------

memory() {
    compile_wasm "$here/kernels/embedded.c" "$out/embedded.wasm"
    "$out/for-m4/translate" "$out/embedded.wasm" "$out/embedded.image"
    firmware "$out" Os "$out/memory-large.elf" "-DMODULE=\"$out/large\"" "$here/m4/memory.c"
    firmware "$out" Os "$out/memory-embedded.elf" "-DMODULE=\"$out/embedded\"" \
        '-DFUNCTION="run"' -DROUNDS=4 "$here/m4/memory.c"
    for module in large embedded; do
        echo "$module: $(wc -c <"$out/$module.wasm") bytes, image $(wc -c <"$out/$module.image")"
        "$root/test/firmware/run" "$out/memory-$module.elf" >"$out/memory"
        awk -F '\t' '{ printf "  %-56s %8d\n", $1, $2 }' "$out/memory"
    done
}

echo "sandmote: commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)"
echo "host: $(gcc --version | head -n 1), -O2; M4: $($m4_cc --version | head -n 1)"
echo
modules
costs
echo
epoch
echo
translations
echo
echo "RAM on Cortex-M4 in bytes, engine at -Os"
memory
