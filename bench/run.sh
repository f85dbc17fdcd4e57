#!/bin/sh
# How fast the engine runs, beside native code and any other engine: bench/run.sh [OPTION]... [KERNEL]...
#
#   --build DIR          where the built sandmote is; default build/gcc
#   --rounds N           runs of each command, of which the best counts; default 5
#   --callgrind          count instructions instead of taking time
#   --peer NAME='CMD'    one more column: CMD with {wasm} and {n} filled in prints the result last;
#                        may be given more than once
#   --markdown           the table as Markdown
#
# $NATIVE_CC, $NATIVE_FLAGS and $CLANG name other compilers and flags.
#
# Each kernel of bench/kernels is compiled to a program by gcc -O2, once more without vector
# instructions ("scalar"), and by clang -O2 to wasm32. All must give the same result. Exit status 1
# when one does not.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
. "$here/common.sh"

build=$root/build/gcc rounds=5 callgrind='' markdown=0 kernels='' peers=''
newline='
'
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift ;;
    --rounds) rounds=$2 && shift ;;
    --callgrind) callgrind=1 ;;
    --peer) peers="$peers$2$newline" && shift ;;
    --markdown) markdown=1 ;;
    -*) echo "bench/run.sh: unknown option $1" >&2 && exit 64 ;;
    *) kernels="$kernels $1" ;;
    esac
    shift
done
[ -n "$kernels" ] || kernels=$(all_kernels)

sandmote=$build/app/sandmote/sandmote
if [ ! -x "$sandmote" ]; then
    echo "bench/run.sh: no $sandmote: build first" >&2
    exit 2
fi
out=$build/bench
mkdir -p "$out"

native_flags=${NATIVE_FLAGS:--std=c11 -O2}
cc_native=${NATIVE_CC:-gcc}

compile() {
    # shellcheck disable=SC2086 # flags are words
    $cc_native $native_flags "$here/kernels/$1.c" "$here/native.c" -o "$out/$1"
    # shellcheck disable=SC2086
    $cc_native $native_flags -fno-tree-vectorize "$here/kernels/$1.c" "$here/native.c" \
        -o "$out/$1-scalar"
    compile_wasm "$here/kernels/$1.c" "$out/$1.wasm"
    "$sandmote" aot "$out/$1.wasm" -o "$out/$1.native"
}

# The commands for kernel $1 and $2 rounds, one a line: native twice, ours, its native image, the
# peers. The native image has no timer: callgrind follows no signal onto another stack. Its epoch
# checks are the same.
commands() {
    echo "$out/$1 $2"
    echo "$out/$1-scalar $2"
    echo "$sandmote run --class edge --epoch-ms 600000 --invoke run $out/$1.wasm $2"
    echo "$sandmote run --class edge --epoch-ms 0 --native $out/$1.native --invoke run $out/$1.wasm $2"
    printf %s "$peers" | while IFS= read -r peer; do
        echo "${peer#*=}" | sed "s|{wasm}|$out/$1.wasm|g; s|{n}|$2|g"
    done
}

# A result as an unsigned number, whatever dress an engine gives it: i32:-5, 0xfffffffb:i32, -5.
number() {
    text=$(echo "$1" | sed 's/:i32//; s/i32://' | grep -Eo '0x[0-9a-fA-F]+|-?[0-9]+' | tail -n 1)
    echo $((${text:-0} & 0xffffffff))
}

# Reads what measure or count printed for one kernel ("cost TAB result"); prints the costs.
check() {
    wanted=
    while IFS=$(printf '\t') read -r cost result; do
        [ -n "$wanted" ] || wanted=$(number "$result")
        if [ "$(number "$result")" != "$wanted" ]; then
            echo "bench/run.sh: $1: native says $wanted, another $result" >&2
            return 1
        fi
        printf ' %s' "$cost"
    done
}

# Runs the commands on standard input under callgrind; prints "instructions TAB result".
count() {
    while IFS= read -r command; do
        # shellcheck disable=SC2086 # a command is words
        result=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$out/log" \
            $command </dev/null 2>&1 | tail -n 1)
        printf '%s\t%s\n' "$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$out/log")" "$result"
    done
}

time_kernel() {
    commands "$1" "$2" >"$out/commands"
    set -- "$1"
    while IFS= read -r command; do
        set -- "$@" "$command"
    done <"$out/commands"
    name=$1
    shift
    "$out/measure" "$rounds" "$@" >"$out/measured"
    costs=$(check "$name" <"$out/measured")
    echo "$name$costs"
}

# The work of a fortieth of the rounds, as the difference between two numbers of rounds: what
# starting costs cancels out.
count_kernel() {
    few=$(($2 / 40)) many=$(($2 / 20))
    commands "$1" "$few" | count >"$out/measured"
    low=$(check "$1" <"$out/measured")
    commands "$1" "$many" | count >"$out/measured"
    high=$(check "$1" <"$out/measured")
    echo "$1 $low $high" | awk '{
        line = $1; half = (NF - 1) / 2
        for (i = 2; i <= half + 1; i++) line = line " " ($(i + half) - $i) / 1e6
        print line
    }'
}

names="native scalar sandmote aot $(printf %s "$peers" | sed 's/=.*//' | tr '\n' ' ')"

method() {
    echo "native: $($cc_native --version | head -n 1), $native_flags; scalar: the same with" \
        "-fno-tree-vectorize"
    echo "wasm32: $($cc_wasm --version | head -n 1), $wasm_flags"
    echo "sandmote: commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)," \
        "epoch checks, limits and full validation on"
    if [ -n "$callgrind" ]; then
        echo "method: instructions counted by callgrind in millions, difference between a twentieth" \
            "and a fortieth of the rounds; every result equals native's"
    else
        echo "method: processor time of the whole process in ms, best of $rounds interleaved runs;" \
            "every result equals native's"
    fi
    echo
}

gcc -O2 "$here/measure.c" -o "$out/measure"
unit=ms measured=time_kernel
if [ -n "$callgrind" ]; then
    unit=Minstr measured=count_kernel
fi
method
rm -f "$out/finished"
{
    for kernel in $kernels; do
        n=$(rounds_of "$kernel" 2)
        compile "$kernel"
        $measured "$kernel" "$n"
    done
    : >"$out/finished"
} | awk -f "$here/table.awk" -v names="$names" -v bases=2 -v ours=1 -v unit="$unit" -v digits=1 \
    -v markdown=$markdown -v save="$out/$unit.rows"
[ -f "$out/finished" ]
