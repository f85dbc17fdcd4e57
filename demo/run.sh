#!/bin/sh
# The story of a fleet in the terminal: good updates, and every kind of bad one.
#   demo/run.sh BUILD      BUILD holds the built programs and modules
# Everything is real: one sandmote-fleet server and five sandmoted devices, each a process of its
# own on this machine, talking TLS 1.3 over loopback; one of them MQTT-SN, through a gateway and a
# broker. Exit status 0 only if every step ended as it
# must; otherwise the folder with all logs is kept and named.
# SPDX-License-Identifier: Apache-2.0
set -eu

build=$(cd "${1:?usage: demo/run.sh BUILD}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
modules=$build/modules/out
PATH=$build/app/sandmote:$build/app/sandmoted:$build/app/sandmote-fleet:$build/app/sandmote-gateway:$build/demo:$PATH:/usr/sbin
dir=$(mktemp -d "${TMPDIR:-/tmp}/sandmote-demo.XXXXXX")
cd "$dir"
patience=100 # fifths of a second that anything may take
began=$(date +%s)
server_pid='' wire_pid='' north_pid='' south_pid='' bench_pid='' shed_pid='' mote_pid=''
broker_pid='' gateway_pid='' air_pid=''
steps=0
after=0

if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') green=$(printf '\033[32m')
    red=$(printf '\033[31m') plain=$(printf '\033[0m')
else
    bold='' dim='' green='' red='' plain=''
fi

# ---- Telling -------------------------------------------------------------------------------------

step() {
    steps=$((steps + 1))
    printf '\n%s%2d. %s%s\n' "$bold" $steps "$1" "$plain"
    mark
}
tell() { printf '    %s\n' "$*"; }
show() { printf '    %s%-10s%s %s\n' "$dim" "$1" "$plain" "$2"; }
good() { printf '    %s%-10s%s %s\n' "$green" "$1" "$plain" "$2"; }

# Only what this script started and has not ended yet.
end() {
    for pid in $north_pid $south_pid $bench_pid $shed_pid $mote_pid $wire_pid $air_pid $gateway_pid \
        $server_pid $broker_pid; do
        kill "$pid" 2>/dev/null || true
    done
    wait
}

failed() {
    printf '\n%sThis step did not end as it must:%s %s\n' "$red" "$plain" "$*"
    for log in "$dir"/*.log; do
        printf '\n%s\n' "-- ${log##*/}"
        tail -n 8 "$log"
    done
    printf '\nAll of it is in %s\n' "$dir"
    end
    exit 1
}

trap 'end; rm -rf "$dir"; exit 130' INT TERM

# ---- Waiting and looking -------------------------------------------------------------------------

# Events and log lines before this moment do not count for what comes.
mark() {
    last=$(sandmote-fleet events --after "$after" --limit 10000 2>/dev/null | tail -n 1)
    after=${last%% *}
    after=${after:-0}
    for device in north south bench shed mote; do
        [ -f $device.log ] || : >$device.log
        eval "seen_$device=$(wc -l <$device.log)"
    done
}

# until_found COMMAND...: its first line once it prints one, in $found.
until_found() {
    tries=0
    while :; do
        found=$("$@" 2>/dev/null | head -n 1) || found=
        [ -z "$found" ] || return 0
        tries=$((tries + 1))
        [ $tries -lt $patience ] || return 1
        sleep 0.2
    done
}

find_event() {
    sandmote-fleet events --device "$1" --after "$after" | grep " $2  *[a-z-]* $3 (.*$4"
}
find_line() {
    from=1
    eval "from=\$((seen_$1 + 1))"
    tail -n "+$from" "$1.log" | grep -e "$2"
}
find_running() { sandmote-fleet devices "$1" | grep -F " $2"; }

# event DEVICE NAME VERSION [PATTERN]: the server has heard of it.
event() {
    until_found find_event "$1" "$2" "$3" "${4-}" || failed "no $2 $3 from $1"
    words=$(printf '%s' "$found" | sed 's/^[0-9]* [^ ]* *[^ ]* *\([A-Z_]*\) *\([^ ]* [^ ]*\) ([^)]*)/\1 \2/')
    show "$1" "$words"
}
# no_event DEVICE NAME VERSION
no_event() {
    ! find_event "$1" "$2" "$3" "" >/dev/null || failed "$2 $3 from $1"
}
# log DEVICE PATTERN: a line of the device's own log.
log() {
    until_found find_line "$1" "$2" || failed "$1 does not log '$2'"
    show "$1" "$(printf '%s' "$found" | sed 's/^[^ ]* [a-z]*  *//')"
}
# runs DEVICE "NAME VERSION": what the device says it runs, as the server shows it.
runs() {
    until_found find_running "$1" "$2" || failed "$1 does not run $2"
    good "$1" "runs $2"
}
# alive: the second module of the bench goes on, whatever happened to the first.
alive() {
    seen_bench=$(wc -l <bench.log)
    log bench '\[heartbeat\]'
}

# ---- Doing ---------------------------------------------------------------------------------------

operator() {
    sandmote-fleet "$@" >>operator.log 2>&1 || failed "sandmote-fleet $1: $(tail -n 1 operator.log)"
}
# refused COMMAND...: the server must say no; what it says is shown.
refused() {
    ! sandmote-fleet "$@" >refused.txt 2>&1 || failed "the server took what it must refuse"
    show server "refuses: $(sed 's/^sandmote-fleet: //' refused.txt)"
}
# pack MODULE NAME [SED]: MODULE's bytes and manifest, edited, become NAME.wasm.
pack() {
    sed "${3-}" "$modules/$1.json" >"$2.json"
    sandmote pack --manifest "$2.json" "$modules/$1.wasm" -o "$2.wasm" >>tools.log 2>&1 ||
        failed "sandmote pack $1"
}
# sign NAME [KEY]
sign() { sandmote sign --key "${2-greenhouse}.pem" "$1.wasm" >>tools.log 2>&1 || failed "sign $1"; }
# release MODULE NAME [SED]: packed, signed, uploaded.
release() {
    pack "$@"
    sign "$2"
    operator upload "$2.wasm"
}
device() {
    sandmoted --config "$1.json" 2>>"$1.log" &
    eval "$1_pid=$!"
}

# ---- The scene -----------------------------------------------------------------------------------

printf '%sA greenhouse, its fleet, and what may happen to it%s\n\n' "$bold" "$plain"
tell "One server and five devices, each a real process on this machine:"
tell "  north   class mcu, 128 KiB for a module     a thermostat in C"
tell "  south   class gateway                       the same thermostat in Rust"
tell "  bench   class mpu, on a bad wire            a thermostat, and a heartbeat beside it"
tell "  shed    class mpu, a chip on an I2C bus      believes a key set; takes vendors' plugins"
tell "  mote    class mcu, no TCP                   behind an MQTT-SN gateway, on a bad radio"

"$here/certificates.sh" . localhost 127.0.0.1
sandmote key new greenhouse.pem >tools.log 2>&1
sandmote key new orchard.pem >>tools.log 2>&1
sandmote key new vendor.pem >>tools.log 2>&1
sandmote key new root1.pem >>tools.log 2>&1
sandmote-fleet token operator.token >token.sha256

# A broker on a port that nobody has.
broker_port=$((20000 + $$ % 20000))
while :; do
    printf 'listener %s 127.0.0.1\nallow_anonymous true\nuser %s\n' $broker_port "$(id -un)" >broker.conf
    mosquitto -c broker.conf 2>broker.log &
    broker_pid=$!
    until_found grep -o 'running\|Error' broker.log || failed "the broker does not start"
    [ "$found" = running ] && break
    broker_port=$((broker_port + 1))
    [ $broker_port -lt 41000 ] || failed "the broker finds no port"
done

cat >fleet.json <<END
{"port": 0, "mqtt": {"host": "127.0.0.1", "port": $broker_port}, "certificate": "server.pem", "key": "server.key", "data": "data", "poll_seconds": 1,
 "signers": [{"fleet": "greenhouse", "key": "greenhouse.pub.pem"},
             {"fleet": "orchard", "key": "orchard.pub.pem"}],
 "operators": [{"name": "operator1", "token_sha256": "$(cat token.sha256)"}]}
END
sandmote-fleet serve --config fleet.json 2>server.log &
server_pid=$!
until_found sed -n 's/.*listening on https:.*:\([0-9]*\),.*/\1/p' server.log ||
    failed "the server does not start"
port=$found
echo "0 0" >wire.control
wire "$port" wire.control >wire.port &
wire_pid=$!
until_found cat wire.port || failed "the wire does not start"
wire_port=$found

export SANDMOTE_FLEET_SERVER="https://127.0.0.1:$port" SANDMOTE_FLEET_CA=ca.pem
export SANDMOTE_FLEET_TOKEN_FILE=operator.token

# configure DEVICE CLASS PORT
configure() {
    echo 19000 >"$1.temperature"
    cat >"$1.json" <<END
{"device": "$1", "fleet": "greenhouse", "class": "$2", "signers": ["greenhouse.pub.pem"],
 "capabilities": ["log", "sensor/BME280/*"], "free_installs": 100,
 "flash": {"file": "$1.flash", "applications": 2, "slot_bytes": 1048576},
 "server": {"url": "https://127.0.0.1:$3", "ca": "ca.pem", "token_file": "$1.token",
            "first_poll_seconds": 0, "retry_seconds": 1, "retry_max_seconds": 2},
 "sensors": [{"name": "BME280/temperature", "file": "$1.temperature"}]}
END
    operator enrol "$1" --channel "$1" --device-token "$1.token"
    device "$1"
}
configure north mcu "$port"
configure south gateway "$port"
configure bench mpu "$wire_port"

# ---- Good updates --------------------------------------------------------------------------------

step "Version 1 goes out: written in C and in Rust, signed, uploaded, assigned"
release thermostat-1 c1
release thermostat-rs-1 rust1
release heartbeat heartbeat
operator assign north c1.wasm
operator assign south rust1.wasm
operator assign bench c1.wasm heartbeat.wasm
event north COMMITTED 1.0.0
log north 'heater off'
event south COMMITTED 1.0.0
log south 'heater off'
runs north "thermostat 1.0.0"
runs south "thermostat-rs 1.0.0"
runs bench "heartbeat 1.0.0, thermostat 1.0.0"
log bench '\[heartbeat\]'

step "Version 2 replaces it while it runs: it heats below 20.5 C already"
release thermostat-2 c2
release thermostat-rs-2 rust2
operator assign north c2.wasm
operator assign south rust2.wasm
operator assign bench c2.wasm heartbeat.wasm
event north COMMITTED 2.0.0
log north 'heater on'
event south COMMITTED 2.0.0
log south 'heater on'
runs north "thermostat 2.0.0"
runs south "thermostat-rs 2.0.0"
runs bench "heartbeat 1.0.0, thermostat 2.0.0"

# ---- Modules that misbehave ----------------------------------------------------------------------

step "A module that traps at its first instruction"
release trap_at_start trap-at-start
operator assign bench trap-at-start.wasm
event bench TRAP 3.0.0
event bench ROLLED_BACK 3.0.0
no_event bench COMMITTED 3.0.0
log bench 'STARTED thermostat 2.0.0'
runs bench "heartbeat 1.0.0, thermostat 2.0.0"
alive

step "A module that is healthy at first, then traps again and again"
release trap_later trap-later
operator assign bench trap-later.wasm
event bench COMMITTED 3.1.0
event bench TRAP 3.1.0 "divide by zero in warming_rate"
event bench ROLLED_BACK 3.1.0
[ "$(sandmote-fleet events --device bench --after "$after" | grep -c ' TRAP ')" = 3 ] ||
    failed "not three traps"
tell "three traps within five minutes were enough"
runs bench "heartbeat 1.0.0, thermostat 2.0.0"
alive

step "A module that loops for ever"
release spin spin
operator assign bench spin.wasm
event bench EPOCH 3.2.0
event bench ROLLED_BACK 3.2.0
runs bench "heartbeat 1.0.0, thermostat 2.0.0"
alive

step "A module that declares more memory than the device gives"
release hungry hungry
operator assign bench hungry.wasm
event bench REFUSED 3.5.0 "bytes of memory"
no_event bench TRIAL 3.5.0
runs bench "heartbeat 1.0.0, thermostat 2.0.0"

step "A module that grows and grows: memory.grow fails, the module goes on"
release grower grower
operator assign bench grower.wasm
log bench 'grow refused'
event bench COMMITTED 3.7.0
runs bench "heartbeat 1.0.0, thermostat 3.7.0"
alive

# ---- Modules that should not be there ------------------------------------------------------------

step "An unsigned module"
pack thermostat-2 unsigned 's/"sequence": 3/"sequence": 30/; s/2\.0\.0/5.0.0/'
head -c 64 /dev/zero >unsigned.wasm.sig
refused upload unsigned.wasm
tell "So somebody breaks into the server and puts it in the place of a signed one."
release thermostat-2 victim 's/"sequence": 3/"sequence": 30/; s/2\.0\.0/5.0.1/'
object=data/objects/$(sha256sum victim.wasm | cut -d' ' -f1)
cp unsigned.wasm "$object"
operator assign bench victim.wasm
event bench DOWNLOAD_FAILED - "hash announced"
runs bench "heartbeat 1.0.0, thermostat 3.7.0"

step "A module signed by another fleet's key"
pack thermostat-2 orchard 's/"sequence": 3/"sequence": 31/; s/2\.0\.0/5.1.0/; s/greenhouse/orchard/'
sign orchard orchard
operator upload orchard.wasm
tell "the server serves the orchard too, and takes it; the operator mixes up the channels"
operator assign bench orchard.wasm
event bench REFUSED - "no key that this device trusts"
runs bench "heartbeat 1.0.0, thermostat 3.7.0"

step "A module below the security floor that version 2 has raised"
release thermostat-1 old 's/"sequence": 2/"sequence": 1/; s/1\.0\.0/0.9.0/'
operator assign bench old.wasm
event bench REFUSED 0.9.0 "below the security floor"
runs bench "heartbeat 1.0.0, thermostat 3.7.0"

step "A module for another class of device"
release thermostat-2 edge \
    's/"sequence": 3/"sequence": 32/; s/2\.0\.0/5.2.0/; s/"classes": .*\]/"classes": ["edge"]/'
operator assign bench edge.wasm
event bench REFUSED 5.2.0 "not for class mpu"
runs bench "heartbeat 1.0.0, thermostat 3.7.0"

# ---- Accidents -----------------------------------------------------------------------------------

# A release with 400 KB beside the code, so that there is time for an accident, or with as much as it
# is told: a custom section with its length in five bytes of LEB128 (400006 = 0x61a86).
enlarge() {
    { cat "$modules/thermostat-2.wasm"; printf '\000'"${5-"\206\265\230\200\000"}"'\005notes'
      head -c "${4-400000}" /dev/zero; } >"$1.raw"
    sed "s/\"sequence\": 3/\"sequence\": $2/; s/2\\.0\\.0/$3/" "$modules/thermostat-2.json" >"$1.json"
    sandmote pack --manifest "$1.json" "$1.raw" -o "$1.wasm" >>tools.log 2>&1 || failed "pack $1"
    sign "$1"
    operator upload "$1.wasm"
}

step "The wire breaks half-way through a download"
enlarge big4 40 4.0.0
echo "0 200000" >wire.control
operator assign bench big4.wasm
log bench 'cut off'
log bench 'fetching thermostat 4.0.0, from byte [1-9]'
event bench COMMITTED 4.0.0
runs bench "heartbeat 1.0.0, thermostat 4.0.0"
alive

step "The device is killed (SIGKILL) in the middle of writing the slot, and started again"
enlarge big5 41 4.1.0
echo "150000 0" >wire.control
operator assign bench big5.wasm
log bench 'fetching thermostat 4.1.0, from byte 0 '
sleep 1.5
kill -KILL "$bench_pid"
wait "$bench_pid" 2>/dev/null || true
bench_pid=''
tell "killed"
echo "0 0" >wire.control
mark
device bench
log bench 'STARTED thermostat 4.0.0'
log bench 'fetching thermostat 4.1.0, from byte [1-9]'
event bench COMMITTED 4.1.0
runs bench "heartbeat 1.0.0, thermostat 4.1.0"
alive

# ---- Plugins -------------------------------------------------------------------------------------

# The shed's fleet: one root, the greenhouse's signer, and a vendor for the TMP105 at 0x48.
cat >keys.json <<END
{"fleet": "shed", "threshold": 1, "roots": ["root1.pub.pem"],
 "keys": [{"role": "signer", "key": "greenhouse.pub.pem"},
          {"role": "vendor", "key": "vendor.pub.pem", "model": "TMP105", "bus": "i2c-1",
           "addresses": ["0x48"], "capabilities": ["log"]}]}
END
{ sandmote trust commission keys.json -o 1.keys && sandmote trust sign --key root1.pem 1.keys; } \
    >>tools.log 2>&1 || failed "sandmote trust"
operator upload-keys 1.keys
cat >shed.json <<END
{"device": "shed", "fleet": "shed", "class": "mpu", "key_set": "1.keys",
 "capabilities": ["log", "sensor/*", "plugin/i2c-1/*"],
 "flash": {"file": "shed.flash", "slot_bytes": 262144, "plugins": 1},
 "server": {"url": "https://127.0.0.1:$port", "ca": "ca.pem", "token_file": "shed.token",
            "first_poll_seconds": 0, "retry_seconds": 1, "retry_max_seconds": 2},
 "buses": [{"name": "i2c-1", "type": "simulated", "chips": ["TMP105@0x48 temperature=19"]}]}
END
operator enrol shed --channel shed --device-token shed.token
device shed

step "A vendor's plugin makes a sensor of a chip, and comes in with the module that needs it"
pack plugin_tmp105 driver 's/greenhouse/shed/; s/"T1"/"BME280"/'
sign driver vendor
operator upload driver.wasm
release thermostat-1 needs-driver \
    's/greenhouse/shed/; s/"interface"/"requires": [{"name": "plugin-tmp105", "least": 1}], &/'
operator assign shed needs-driver.wasm
event shed REFUSED 1.0.0 "requires plugin-tmp105"
tell "alone it is refused; the two of them are a set"
operator assign shed driver.wasm needs-driver.wasm
event shed COMMITTED 1.0.0
log shed 'heater off'
runs shed "plugin-tmp105 1.0.0"
runs shed "thermostat 1.0.0"

step "A plugin for an address that its vendor was not given"
pack plugin_tmp105 elsewhere \
    's/greenhouse/shed/; s/"address": 72/"address": 73/; s/"sequence": 1/"sequence": 2/'
sign elsewhere vendor
refused upload elsewhere.wasm
runs shed "plugin-tmp105 1.0.0"

# ---- Without TCP -----------------------------------------------------------------------------------

cat >gateway.json <<END
{"name": "gateway1", "broker": {"host": "127.0.0.1", "port": $broker_port},
 "listen": [{"address": "127.0.0.1", "port": 0}],
 "clients": [{"id": "*", "publish": ["sandmote/%c/up"], "subscribe": ["sandmote/%c/down"]}]}
END
sandmote-gateway --config gateway.json 2>gateway.log &
gateway_pid=$!
until_found sed -n 's/.*listening on 127.0.0.1, port \([0-9]*\),.*/\1/p' gateway.log ||
    failed "the gateway does not start"
air "$found" 10 5 5 >air.port &
air_pid=$!
until_found cat air.port || failed "the radio does not start"
echo 19000 >mote.temperature
cat >mote.json <<END
{"device": "mote", "fleet": "greenhouse", "class": "mcu", "signers": ["greenhouse.pub.pem"],
 "capabilities": ["log", "sensor/BME280/*"], "flash": {"file": "mote.flash", "slot_bytes": 65536},
 "mqtt-sn": {"gateways": [{"host": "127.0.0.1", "port": $found}], "retry_seconds": 1,
             "poll_least_seconds": 1},
 "sensors": [{"name": "BME280/temperature", "file": "mote.temperature"}]}
END
operator enrol mote --channel mote --device-token mote.token

step "A device without TCP gets its module in blocks; a tenth of the datagrams is lost"
enlarge big6 42 4.2.0 20000 '\246\234\201\200\000' # 20006 in LEB128
operator assign mote big6.wasm
device mote
log mote 'mqtt-sn: active'
log mote 'mqtt-sn: thermostat: [0-9]* of'
until_found find_event mote INSTALLED 4.2.0 "" || failed "no INSTALLED 4.2.0 from mote"
show mote "$(find_line mote 'mqtt-sn: thermostat: [0-9]* of' | tail -n 1 | sed 's/^[^ ]* [a-z]*  *//')"
event mote COMMITTED 4.2.0
log mote 'heater on'
runs mote "thermostat 4.2.0"

# ---- The end -------------------------------------------------------------------------------------

printf '\n%sIn the end%s\n' "$bold" "$plain"
runs north "thermostat 2.0.0"
runs south "thermostat-rs 2.0.0"
runs bench "heartbeat 1.0.0, thermostat 4.1.0"
runs shed "thermostat 1.0.0"
runs mote "thermostat 4.2.0"
end
rm -rf "$dir"
printf '\n%sAll %d steps ended as they must, in %d seconds.%s\n' "$green" $steps \
    $(($(date +%s) - began)) "$plain"
