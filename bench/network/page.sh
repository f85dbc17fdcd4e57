# Writes doc/benchmarks/network.md and its plot from what bench/network.sh has measured. Sourced by it.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154 # $root, $out, ...

plots=$root/doc/benchmarks

{
    echo 'calls one native module'
    awk -F '\t' '$1 != "publish 2" && $2 != 2 && $2 != 12 { gsub(" ", "~", $1); print $1 ",~" $2, 1, $3 / 1000, $4 / 1000 }' \
        "$out/times"
} >"$out/latency.rows"
awk -f "$here/plot.awk" -v title="Calls in a row" -v label="ms, $delay_ms ms from a message to its answer" \
    -v base=1 -v skip=1 -v single=1 -v left=110 "$out/latency.rows" >"$plots/network-latency.svg"
{
    cat <<PAGE
# The network for modules, measured

One command writes this page and its plot: \`./dev bench --network --doc\`; \`./dev bench --network\` prints
the tables. It measures what Figure 8 of the paper on WASI-SN does: how long it takes to register topics
and to publish, one after the other, from a module and from native code.

Both use the same client of MQTT-SN over the same link. Its other end is a function in memory that answers
at once or after $delay_ms ms (bench/network/field.c), so the difference is the module's: crossing into the
host, its pointers, its grants, its rate, and being suspended and woken. Messages have 32 bytes. The module
has three capabilities, of which one is of topics. Every call must end well, else the command fails.

PAGE
    echo "- host: $(gcc --version | head -n 1), -O2; Cortex-M4: $($m4_cc --version | head -n 1), instructions counted by $(qemu-system-arm --version | head -n 1)"
    echo "- wasm32: $($cc_wasm --version | head -n 1), $wasm_flags"
    echo "- sandmote: commit $(git -C "$root" rev-parse --short HEAD), epoch checks, limits, grants and full validation on"
    cat <<PAGE

## Latency

On this machine, with $delay_ms ms between a message and its answer; QoS 2 waits for two answers. The least of
$rounds runs in turns: the machine is shared, and a timer that is late only adds.

![calls in a row](network-latency.svg)

$(time_table)

## Instructions

With answers that come at once. *Native* is the call with client, codec and the gateway in memory; *more* is
what the module's call takes beside that, an engine that interprets.

$(instruction_table)

What that is on a microcontroller, engine at -Os, one instruction a cycle:

$(share_table)

The goal was less than 1 % over native at $delay_ms ms.

## Flash and RAM

$(footprint_table)

A device without a network links none of it; what links of the client is less than all of it. Queues are in
the last line: 4 messages of 128 bytes with their heads, and one to send.

## Weak

- The gateway answers from memory: no kernel, no radio, nothing is lost. What a lost datagram costs is the
  same for both, and ten seconds.
- Instructions, not cycles: flash wait states and the loads' second cycle are missing on both sides.
PAGE
} >"$out/page"
cp "$out/page" "$plots/network.md"
echo "written: doc/benchmarks/network.md" >&2
