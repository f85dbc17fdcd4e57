#!/bin/sh
# Measures everything and writes doc/benchmarks/engine.md with its plots: bench/doc.sh [OPTION]...
#
#   --build DIR             where the built sandmote is; default build/gcc
#   --m4-build DIR          where engines for the microcontroller are built; default build/bench-m4
#   --rounds N              as for bench/run.sh
#   --peer NAME='CMD'       another engine, timed (bench/run.sh)
#   --count-peer NAME='CMD' another engine under callgrind, where it needs another build for that
#   --note TEXT             a line on the peers: versions, flags
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)

build=$root/build/gcc m4=$root/build/bench-m4 rounds=5 notes=''
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/peers"
: >"$work/count-peers"
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift ;;
    --m4-build) m4=$2 && shift ;;
    --rounds) rounds=$2 && shift ;;
    --peer) echo "$2" >>"$work/peers" && shift ;;
    --count-peer) echo "$2" >>"$work/count-peers" && shift ;;
    --note)
        notes="$notes- $2
" && shift
        ;;
    *) echo "bench/doc.sh: unknown option $1" >&2 && exit 64 ;;
    esac
    shift
done
page=$root/doc/benchmarks/engine.md plots=$root/doc/benchmarks

# run PEERS OPTION...: bench/run.sh with the peers of a file.
run() {
    list=$1
    shift
    while IFS= read -r peer; do
        set -- "$@" --peer "$peer"
    done <"$list"
    "$here/run.sh" --build "$build" --markdown "$@"
}

# What a measurement said of its method, as a list.
method() {
    sed '/^$/,$d; s/^/- /' "$1"
}

table() {
    sed '1,/^$/d' "$1"
}

# plot ROWS OUT.svg AWK-VARIABLE...
plot() {
    rows=$1 to=$2
    shift 2
    awk -f "$here/plot.awk" "$@" "$rows" >"$to"
}

echo "timing" >&2
run "$work/peers" --rounds "$rounds" >"$work/time"
echo "counting on the host" >&2
run "$work/count-peers" --callgrind >"$work/count"
echo "counting on the microcontroller" >&2
"$here/m4.sh" --build "$m4" --markdown >"$work/m4"
cp "$build/bench/ms.rows" "$build/bench/Minstr.rows" "$m4/m4.rows" "$work"
echo "costs beside running code" >&2
"$here/costs.sh" --build "$build" --m4-build "$m4" >"$work/costs"

scalar='times native gcc -O2 without vector instructions'
plot "$work/ms.rows" "$plots/host-time.svg" -v title='Time on the host' -v base=2 -v skip=2 \
    -v label="$scalar"
plot "$work/Minstr.rows" "$plots/host-instructions.svg" -v title='Instructions on the host' \
    -v base=2 -v skip=2 -v label="$scalar"
plot "$work/m4.rows" "$plots/m4-instructions.svg" -v title='Instructions on Cortex-M4' -v base=1 \
    -v skip=1 -v label='times native gcc -O2'

{
    cat <<'PAGE'
# The engine, measured

One command writes this page and its plots: `./dev bench --doc`. It puts together what these print:

| command | what it measures |
|---|---|
| `./dev bench` | time on this machine, beside native code and any peer given by `--peer NAME='COMMAND'` |
| `./dev bench --callgrind` | the same in instructions |
| `./dev bench --m4` | instructions on the emulated Cortex-M4, image executed in place from flash |
| `./dev bench --costs` | host calls, stopping at a deadline, epoch checks, translation, memory |

The kernels are C of our own (bench/kernels): list, matrix and state work in the manner of CoreMark,
SHA-256, CRC-32, a JSON reader, a byte-code loop, recursive and indirect calls, a 16-bit filter, four
numeric kernels on doubles, two on integers, a walk through memory and 64-bit mixing. Each is compiled
by gcc -O2 to a program and by clang -O2 to wasm32; every result is compared with native's. `sandmote`
interprets, `aot` runs the module's native image ([doc/aot.md](../aot.md)). Both have epoch checks, limits
and full validation on throughout.

Read ratios: they come from one run on one machine, and times from a shared one. gcc vectorises `fir`,
`gemm` and `jacobi`, which no interpreter of scalar code can follow, so there is a mean beside native
code without vector instructions too.
PAGE
    if [ -n "$notes" ]; then
        printf '\nPeers:\n\n%s' "$notes"
    fi
    printf '\n## Time on the host\n\n'
    method "$work/time"
    printf '\n![time on the host](host-time.svg)\n\n'
    table "$work/time"
    printf '\n## Instructions on the host\n\n'
    method "$work/count"
    printf '\n![instructions on the host](host-instructions.svg)\n\n'
    table "$work/count"
    printf '\n## Instructions on Cortex-M4\n\n'
    method "$work/m4"
    printf '\n![instructions on Cortex-M4](m4-instructions.svg)\n\n'
    table "$work/m4"
    cat <<'PAGE'

## Beside running code

Instructions of a host call are those of a loop with twice(twice(n)) less those of the same loop with
twice(n): the call with all that belongs to it, the host function's own two or three included. For
stopping, the deadline passes at many moments of a loop that runs for ever; the figure is the worst of
what came after it. What epoch checks cost is the difference to an engine built without them. Callgrind counts the translation; `tight` is the same module with short
relocations. RAM is what a start takes beyond linear memory, and after the CoreMark-like kernel ran.

```
PAGE
    cat "$work/costs"
    echo '```'
} >"$work/page"
cp "$work/page" "$page"
echo "written: ${page#"$root"/}" >&2
