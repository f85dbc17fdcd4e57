#!/bin/sh
# The gateway under load, beside any other one: bench/gateway.sh [--build DIR] [OPTION...]
#
#   --other 'NAME SN_PORT MQTT_PORT COMMAND'   another gateway, run in the same way in the same run; its
#                broker is at 127.0.0.1:18883, or its own at MQTT_PORT; may be given several times
#   --rounds N   of each measurement; the median counts (3)
#   --seconds S  of each load (2)
#   --latency    the latency of ordinary clients alone
#   --full       100,000 clients too, for those who held 50,000
#   --doc        writes doc/benchmarks/gateway.md
#
# Generator, gateway and Mosquitto share the machine. For 90 and 900 clients that all publish: messages a
# second and CPU time a message of the gateway's process, by QoS, 32 octets each; latency of one client
# beside an MQTT client's straight to the broker, and of ordinary clients (libmosquitto); connections a second, and octets of memory a client, at
# 5,000 and 50,000 clients. CPU time is what the scheduler counted for all threads of the process, so it
# stays meaningful on a busy machine; rates and latencies do not. The generator is bench/gateway/load.c.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=$root/build/gcc rounds=3 seconds=2 doc='' full='' latency=''
dir=$(mktemp -d "${TMPDIR:-/tmp}/sandmote-bench-XXXXXX")
others=$dir/others
: >"$others"
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift ;;
    --other) printf '%s\n' "$2" >>"$others" && shift ;;
    --rounds) rounds=$2 && shift ;;
    --seconds) seconds=$2 && shift ;;
    --doc) doc=yes ;;
    --full) full=yes ;;
    --latency) latency=yes ;;
    *) echo "bench/gateway.sh: unknown option $1" >&2 && exit 64 ;;
    esac
    shift
done
case $build in /*) ;; *) build=$PWD/$build ;; esac
broker_port=18883 own_port=18840
mosquitto=$(command -v mosquitto || echo /usr/sbin/mosquitto)
load=$build/bench/gateway/load
broker='' gateway='' holders=''

# end_one PID: asks, and after two seconds does not ask.
end_one() {
    kill "$1" 2>/dev/null || return 0
    tries=0
    while kill -0 "$1" 2>/dev/null && [ $tries -lt 20 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    kill -9 "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

end() {
    for pid in $holders $gateway $broker; do
        end_one "$pid"
    done
    holders='' gateway='' broker=''
}
trap 'end; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

cat >"$dir/broker.conf" <<EOF
listener $broker_port 127.0.0.1
listener 0 $dir/broker.sock
allow_anonymous true
max_inflight_messages 1000
$([ "$(id -u)" = 0 ] && echo "user root")
EOF
cat >"$dir/gateway.json" <<EOF
{"name": "bench", "broker": {"host": "127.0.0.1", "port": $broker_port, "qos2_window": 900}, "state": "$dir/gateway.db",
 "listen": [{"address": "127.0.0.1", "port": $own_port}],
 "clients": [{"id": "*", "publish": ["#"], "subscribe": ["#"]}],
 "limits": {"connects_per_second": 1000000, "connects_burst": 1000000}}
EOF

sed 's/, "qos2_window": 900//' "$dir/gateway.json" >"$dir/window.json"
sed 's/"subscribe": \["#"\]/&, "own_connection": true/' "$dir/gateway.json" >"$dir/own.json"
sed "s|\"host\": \"127.0.0.1\"|\"host\": \"$dir/broker.sock\"|" "$dir/gateway.json" >"$dir/local.json"
dtls_port=18841
dtls_clients=500
sed -e "/listen/s/}],/}, {\"address\": \"127.0.0.1\", \"port\": $dtls_port, \"dtls\": true}], \"dtls\": {\"psk_file\": \"psk\"},/" \
    -e 's/"id": "\*"/"identity": "*", "id": "%u"/' "$dir/gateway.json" >"$dir/dtls.json"
awk -v n=$dtls_clients 'BEGIN { for (i = 0; i < n; i++) print "dtls-" i ":01010101010101010101010101010101" }' >"$dir/psk"

# begin COMMAND...: a fresh broker and a fresh gateway.
begin() {
    rm -f "$dir"/gateway.db*
    "$mosquitto" -c "$dir/broker.conf" >"$dir/broker.log" 2>&1 &
    broker=$!
    sleep 0.5
    "$@" >"$dir/gateway.log" 2>&1 &
    gateway=$!
    sleep 1
}

# measure NAME SN_PORT MQTT_PORT COMMAND...: one line a figure, "NAME case figure value".
measure() {
    name=$1 sn=$2 mqtt=$3
    shift 3
    for again in 1 2 3; do # how its processes are placed differs from run to run
        begin "$@"
        timeout 60 "$build/bench/gateway/load_mosquitto" "$sn" "$mqtt" 2>>"$dir/errors" |
            sed "s/^/$name ordinary /" || echo "$name ordinary gave_up $again"
        end
    done
    [ -z "$latency" ] || return 0
    for clients in 90 900; do
        begin "$@"
        run "$clients" "clients=$clients" phases=qos0,qos1,qos2
        end
    done
    begin "$@"
    run down clients=90 phases=down
    end
    if [ "$name" = sandmote ]; then
        begin "$@"
        run kept clients=90 kept=1 phases=qos0,qos1,qos2
        end
        for clients in 90 900; do
            begin "$1" --config "$dir/window.json"
            run "window$clients" "clients=$clients" phases=qos2
            end
        done
        begin "$1" --config "$dir/own.json"
        run own clients=1000 phases=qos1
        end
        begin "$1" --config "$dir/dtls.json"
        "$build/bench/gateway/load_dtls" $dtls_port $dtls_clients $gateway | sed "s/^/$name dtls /"
        end
        begin "$build/bench/gateway/relay" "$sn" "$mqtt"
        run latency clients=1 phases=latency | sed 's/^[^ ]*/relay/'
        end
        begin "$1" --config "$dir/local.json"
        run latency clients=1 phases=latency | sed 's/^[^ ]*/local/'
        end
    fi
    begin "$@"
    run latency clients=1 phases=latency
    end
    begin "$@"
    run 5000 clients=5000 active=90 phases=qos1
    end
    grep -q "^$name 5000 failed" "$figures" || return 0
    many 50000 2 "$@"
    [ -z "$full" ] || ! grep -q "^$name 50000 qos1_cpu_us" "$figures" || many 100000 5 "$@"
}

# many TOTAL HOLDERS COMMAND...: clients that are only there in processes of their own, the last
# 18,000 in the one that measures.
many() {
    total=$1 holding=$2
    shift 2
    begin "$@"
    holders='' net=0
    while [ $net -lt "$holding" ]; do
        net=$((net + 1))
        "$load" "sn=$sn" "mqtt=$mqtt" clients=$(((total - 18000) / holding)) net=$net prefix=$net phases=hold \
            >/dev/null 2>&1 &
        holders="$holders $!"
        sleep 2
    done
    run "$total" clients=18000 active=90 prefix=c phases=qos1
    end
}

# run CASE LOAD-OPTION...
run() {
    case=$1
    shift
    timeout 20 "$load" "sn=$sn" "mqtt=$mqtt" "pid=$gateway" "seconds=$seconds" "$@" 2>>"$dir/errors" |
        sed "s/^/$name $case /" || echo "$name $case gave_up 1"
}

figures=$build/gateway.figures
: >"$figures"
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    echo "round $round of $rounds" >&2
    measure sandmote $own_port $broker_port "$build/app/sandmote-gateway/sandmote-gateway" \
        --config "$dir/gateway.json" >>"$figures"
    while read -r name sn_port mqtt_port command; do
        # shellcheck disable=SC2086 # words of a command line
        measure "$name" "$sn_port" "$mqtt_port" $command >>"$figures" </dev/null
    done <"$others"
done
awk -f "$here/gateway/table.awk" "$figures" >"$dir/table"
cat "$dir/table"
[ -n "$doc" ] && [ -z "$latency" ] || exit 0
{
    cat "$here/gateway/head.md"
    echo
    echo "$(nproc) processors ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), $("$mosquitto" -h | sed -n '1s/^mosquitto version /Mosquitto /p'), medians of $rounds rounds of $seconds s, all at nice $(nice)."
    echo
    cat "$dir/table"
} >"$root/doc/benchmarks/gateway.md"
