#!/bin/sh
# What a start and an update take the real daemon, in milliseconds: bench/downtime.sh [--build DIR]
# [--rounds N]. DIR (default build/gcc) is where the built programs are.
#
# sandmote-fleet and sandmoted on this machine, TLS 1.3 over loopback, the flash a file. A module ticks
# every 20 ms and logs a word each time; the next one another word, so the device's own log has the last
# tick of the old one and the first of the new. `start` is from the start of the process to the first
# tick. Medians: the machine does other things beside.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)

build=$root/build/gcc rounds=5 period=20
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift ;;
    --rounds) rounds=$2 && shift ;;
    *) echo "bench/downtime.sh: unknown option $1" >&2 && exit 64 ;;
    esac
    shift
done
case $build in /*) ;; *) build=$PWD/$build ;; esac
PATH=$build/app/sandmote:$build/app/sandmoted:$build/app/sandmote-fleet:$PATH
work=$(mktemp -d)
server='' device=''
end() {
    for pid in $device $server; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap end EXIT
trap 'exit 1' INT TERM
cd "$work"

# until_there COMMAND...: waits until it prints something, for 20 s.
until_there() {
    tries=0
    while found=$("$@" 2>/dev/null | tail -n 1) && [ -z "$found" ]; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { echo "bench/downtime.sh: waited in vain for: $*" >&2 && tail -n 5 ./*.log >&2 && exit 1; }
        sleep 0.1
    done
}

# ms TIME: of a line of the log, since midnight.
ms() { echo "$1" | awk -F '[T:.Z]' '{ print (($2 * 60 + $3) * 60 + $4) * 1000 + $5 }'; }
# between A B: milliseconds, over midnight too.
between() { echo "$1 $2" | awk '{ print ($2 - $1 + 86400000) % 86400000 }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# release WORD FUNCTIONS SEQUENCE
release() {
    awk -v functions="$2" -v word="$1" -f "$here/wasm/padded.awk" >m.wat
    wat2wasm m.wat -o m.wasm
    cat >m.json <<JSON
{"fleet": "bench", "name": "bench", "version": "$3", "sequence": $3, "classes": ["gateway"],
 "period_ms": $period, "health": {"good_ticks": 1}, "memory_bytes": 65536, "capabilities": ["log"]}
JSON
    {
        sandmote pack --manifest m.json m.wasm -o "$3.wasm"
        sandmote sign --key key.pem "$3.wasm"
        sandmote-fleet upload "$3.wasm"
    } >>tools.log
    bytes=$(wc -c <"$3.wasm")
}

run_device() {
    sandmoted --config device.json 2>>device.log &
    device=$!
}

"$root/demo/certificates.sh" . localhost 127.0.0.1
sandmote key new key.pem >tools.log
sandmote-fleet token operator.token >token.sha256
cat >fleet.json <<JSON
{"port": 0, "certificate": "server.pem", "key": "server.key", "data": "data", "poll_seconds": 1,
 "signers": [{"fleet": "bench", "key": "key.pub.pem"}],
 "operators": [{"name": "operator1", "token_sha256": "$(cat token.sha256)"}]}
JSON
sandmote-fleet serve --config fleet.json 2>server.log &
server=$!
until_there sed -n 's/.*listening on https:.*:\([0-9]*\),.*/\1/p' server.log
export SANDMOTE_FLEET_SERVER="https://127.0.0.1:$found" SANDMOTE_FLEET_CA=ca.pem
export SANDMOTE_FLEET_TOKEN_FILE=operator.token
cat >device.json <<JSON
{"device": "device1", "fleet": "bench", "class": "gateway", "signers": ["key.pub.pem"],
 "capabilities": ["log"], "free_installs": 1000,
 "flash": {"file": "device.flash", "applications": 1, "slot_bytes": 1048576},
 "server": {"url": "$SANDMOTE_FLEET_SERVER", "ca": "ca.pem", "token_file": "device.token",
            "first_poll_seconds": 0, "retry_seconds": 1, "retry_max_seconds": 2}}
JSON
sandmote-fleet enrol device1 --channel device1 --device-token device.token >>tools.log
: >device.log
run_device

printf '%8s %10s %12s %12s\n' module 'start ms' 'downtime ms' 'of it period'
sequence=1 old=tick new=tock
release $old 4 1
sandmote-fleet assign device1 1.wasm >>tools.log
until_there grep "COMMITTED bench 1\b" device.log
for functions in 4 160 640; do
    : >starts
    : >downtimes
    round=0
    while [ $round -lt $((rounds + 1)) ]; do
        sequence=$((sequence + 1))
        release $new $functions $sequence
        sandmote-fleet assign device1 $sequence.wasm >>tools.log
        until_there grep "COMMITTED bench $sequence\b" device.log
        last=$(grep "\] $old" device.log | tail -n 1)
        first=$(awk -v last="$last" -v new="] $new" '$0 == last { on = 1 } on && index($0, new) { print; exit }' device.log)
        # The first one of a size replaces one of another.
        [ $round -eq 0 ] || between "$(ms "${last%% *}")" "$(ms "${first%% *}")" >>downtimes
        kill "$device"
        wait "$device" || true
        : >device.log
        begun=$(date -u +%FT%T.%3NZ)
        run_device
        until_there grep "\] $new" device.log
        [ $round -eq 0 ] || between "$(ms "$begun")" "$(ms "$(grep "\] $new" device.log | head -n 1 | cut -d ' ' -f 1)")" >>starts
        swap=$old old=$new new=$swap
        round=$((round + 1))
    done
    printf '%8d %10d %12d %12d\n' "$bytes" "$(median <starts)" "$(median <downtimes)" $period
done
