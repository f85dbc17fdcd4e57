# Writes doc/benchmarks/sensors.md and its plots from what bench/sensors.sh has measured. Sourced by
# it.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154 # $root, $out, ...

plots=$root/doc/benchmarks

# plot NAME TITLE LABEL AWK-VARIABLE...: rows on standard input.
plot() {
    name=$1 title=$2 label=$3
    shift 3
    cat >"$out/$name.rows"
    awk -f "$here/plot.awk" -v title="$title" -v label="$label" -v base=1 -v skip=1 -v single=1 "$@" \
        "$out/$name.rows" >"$plots/$name.svg"
}

# cells FILE...: of Markdown tables, without their first two lines, side by side: name, then numbers.
cells() {
    sed '1,2d; s/^| //; s/ |$//; s/ | /\t/g' "$1"
}

time_plot() {
    echo 'reads native by~handle by~name by~handle,~native~image by~name,~native~image'
    time_table >"$out/table"
    cells "$out/table" | awk -F '\t' '{ print $1, 1, $3, $4, $5, $6 }'
}

# What the module's whole life takes more than the native program's, in %.
life_plot() {
    echo 'reads one interpreted~-Os interpreted~-O2,~assembly native~image'
    for way in Os O2-thumb m4-aot; do
        timing_table "$out/reads-$way" "$out/stages-$way" >"$out/table"
        cells "$out/table" | awk -F '\t' '{ print $1, $6 }' >"$out/life-$way"
    done
    paste -d ' ' "$out/life-Os" "$out/life-O2-thumb" "$out/life-m4-aot" |
        awk '{ print $1, 1, $2, $4, $6 }'
}

stage_plot() {
    echo 'stage one interpreted~-Os interpreted~-O2,~assembly native~image'
    stage_table >"$out/table"
    cells "$out/table" | awk -F '\t' '
        $1 !~ /read|translate/ { sub(/, more than native/, "", $1); gsub(" ", "~", $1); print $1, 1, $4 / 1000, $6 / 1000, $7 / 1000 }'
}

# Where the time of a life goes, by the number of reads; engine at -Os, interpreted, 400 kHz.
share_table() {
    row reads 'before the first, ms' 'reads, ms' 'end, ms' 'reads, % of all'
    row ---: ---: ---: ---: ---:
    awk -F '\t' -v mhz=$clock_mhz '
        FNR == NR { if ($1 == "the chip") chip = $3; if ($1 == "ns at 400 kHz") bus = $3; next }
        $2 > 0 { if (!($2 in all)) n[++k] = $2; all[$2]; cost[$1, $2] = $3 / mhz / 1000 }
        END {
            for (i = 1; i <= k; i++) {
                m = n[i]
                before = cost["runtime init", m] + cost["load", m] + cost["instantiate", m] + cost["environment", m] + cost["main", m] + cost["sensor on", m] - cost["native sensor on", m]
                reads = cost["reads", m] - m * chip / mhz / 1000 + m * bus / 1e6
                end = cost["deinit", m] + cost["destroy", m]
                printf "| %d | %.3f | %.3f | %.3f | %.1f |\n", m, before, reads, end, 100 * reads / (before + reads + end)
            }
        }' "$out/reads-Os" "$out/stages-Os"
}

time_plot | plot sensors-time 'Reads, time on the host' 'times native, bus without delay'
life_plot | plot sensors-life 'A life with reads on Cortex-M4' '% over native, 64 MHz, bus 400 kHz'
stage_plot | plot sensors-stages 'Stages on Cortex-M4' 'thousand instructions; sensor on: more than native' -v left=110
{
    cat <<'PAGE'
# Sensors for modules, measured

One command writes this page and its plots: `./dev bench --sensors --doc`; `./dev bench --sensors` prints
the tables. It measures what the paper on WASI-SN does (its Figures 5 to 7, Tables 7 and 8), except Table
6, which is [guests.md](guests.md).

A module reads a BME280 that measures by itself, so that each read is one burst of 13 registers, with
`SampRate` 0, so that each read goes to the bus. Native code calls the same driver for the same chip. *By
handle* is `get` of a handle "\*": three values; *by name* is `read("BME280", "temperature", buf, 4)`. All ways
must read the same and use the bus equally often, else the command fails. The programs are in
bench/sensors.

The chip is simulated. It takes no time on the wires: what these take is computed from the bits of a burst
(147 with acknowledges, start and stop). Its own instructions count for nobody on the microcontroller; on
the host they are part of native and module alike.

PAGE
    echo "- host: $(gcc --version | head -n 1), -O2; Cortex-M4: $($m4_cc --version | head -n 1), instructions counted by $(qemu-system-arm --version | head -n 1)"
    echo "- wasm32: $($cc_wasm --version | head -n 1), $wasm_flags"
    echo "- sandmote: commit $(git -C "$root" rev-parse --short HEAD), epoch checks, limits, grants and full validation on"
    cat <<PAGE

## Time on the host

The worst case for a module: there is no bus to wait for. Processor time of one thread, the best of
$rounds runs in turns. Read ratios: the machine is shared, and few reads take less than the clock resolves.

![reads on the host](sensors-time.svg)

$(time_table)

With a bus both sides wait for the same bits; a module takes so many percent more, of the times above and of
what a burst takes on the wires:

$(bus_table)

## Instructions

$(instruction_table)

A read by handle that goes to the bus pays for the module's own loop, the call, the checks of pointer, handle
and grant, one look at what may be in the way (who else is in line, is the sensor alive, is something to be
set first) and the copy into the module's memory. A read by name looks up two names before that.

One call beside the driver, arguments included: a loop with two calls less the same loop with one.
*Recent*: the view is younger than its interval, and no driver is called. *Measured*: a driver that is done
at once is called each time; its own instructions are taken off, the look at whether its values can be is
not (the BME280's driver does that itself).

$(call_table)

The goal was 40 for \`get\`: a value that is recent is given without a call (include/sandmote/kept.h;
[DESIGN.md](../../DESIGN.md) says what is compared before). What the module does to hand over three arguments is in
all of these; in native images it cannot be told from the call. *Measured* is an ordinary call.

## On Cortex-M4 at $clock_mhz MHz

Nominal: one instruction a cycle, and the processor does nothing else while the bus is busy. *With all
before the first read* compares whole programs, as the paper's Figure 5 does: runtime, load, instance,
environment, and what turning the sensor on takes more than natively, all in percent of native's reads
alone. A module is translated when it is installed, not here.
$(timings)

![a life with reads](sensors-life.svg)

The paper's modules (WAMR, compiled by its runtime, on this kind of processor) settle at 6 % over native
after 32 reads. It does not say at which bus speed, nor what of the 6 % is start.

## Stages

Instructions. \`translate\` is what the
installation of the module (1.3 KB) did once. The rest is Table 8: *runtime init* is an empty registry with
one sensor added; *load* opens the image where it lies; *instantiate* links and clears linear memory;
*environment* makes the granted sensor reachable; *main* calls a function that returns at once, found by
its name; *sensor on* resets and sets up the chip, by name; *deinit* gives back what the module held; *destroy*
removes the sensor. *One read* is a call from outside, found by its name, with one read in it.

![stages](sensors-stages.svg)

$(stage_table)

What that is of a life, interpreted by the engine at -Os, bus at 400 kHz (Figure 7), without what turning
the sensor on takes natively:

$(share_table)

The paper has no numbers for these, only the plot: most of the time passes before the module is loaded.

## Flash and RAM

Listing 2 of the paper as a module and as a native program with the driver library, for Cortex-M4 at -Os,
with the linker leaving out what is not called. The module's image is made by whoever installs it: the
translator is not in this program ([size.md](../size.md) has it).

$(flash_table)

The native program has the driver and nothing else: no isolation, no updates, one user of the sensor. What
sensors alone add to a runtime is the part of \`host\`, and of \`sensor\` what is beyond the driver.

$(ram_table)

The paper: 131,500 bytes against native's 125,162 (5 % more; operating system, network stack and a pool of
100 KB are in both), and 10,189 bytes of RAM at run time. Our native program has no operating system under
it, so a percentage of it says nothing; bytes can be compared.

## Weak

- An emulated processor: instructions, not cycles. Flash wait states and the loads' second cycle are missing
  in native and module alike.
- The chip is simulated on both sides, and the bus only computed.
- The goal was 1 % over native for reads by handle at 400 kHz. It is reached by native images with room to
  spare, and by the engine at each level with little, once 32 reads or so share the cost of the module's call
  (*by handle, % more*). \`get\` is compiled for speed also where the rest is compiled for size.
- The other goal was 40 instructions for a call that the runtime answers by itself. \`get\` of one recent value
  reaches it in the interpreter, when the length is a constant, as compilers have it; \`get\` of \`*\`, native
  images and every other call do not.
- \`get\` asks a clock in memory (\`sm_sensors.ms\`), as a tick interrupt of a microcontroller counts one. On a
  host, where the time is a function, it takes a longer way.
- Reads by name look up two names in each call, and cost what that costs.
PAGE
} >"$out/page"
cp "$out/page" "$plots/sensors.md"
echo "written: doc/benchmarks/sensors.md" >&2
