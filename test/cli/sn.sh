#!/bin/sh
# sandmote sn through a real gateway and a real broker. sn.sh SANDMOTE SANDMOTE-GATEWAY MOSQUITTO
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 gateway=$2 mosquitto=$3
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"

# What is asked for wrongly is said before anything is opened.
expect 64 "$sandmote" sn pub -t a -m x
says 'say one of --gateway, --group and --serial'
expect 64 "$sandmote" sn pub --gateway localhost -m x
says '-t names the topic'
expect 64 "$sandmote" sn pub --gateway localhost -t a
says 'say one of -m MESSAGE, -l and -n'
expect 64 "$sandmote" sn pub --gateway localhost -t a -q -1 -m x
says 'or -1, for pub to a predefined or short topic'
expect 1 "$sandmote" sn pub --gateway '[::1' -t a -m x
says 'a gateway is HOST:PORT'
expect 1 "$sandmote" sn pub --gateway localhost -t pre:0 -m x
says 'a predefined topic id is 1 to 65534'
expect 1 "$sandmote" sn pub --gateway localhost -t 'a/#' -m x
says 'a/#: is no topic'
expect 1 "$sandmote" sn sub --gateway no-such-host.invalid -t 'a#'
says 'a#: is no topic or filter'
expect 1 "$sandmote" sn sub --gateway 127.0.0.1:9 -t a -t 'a#'
says 'a#: is no topic or filter'
expect 64 "$sandmote" sn sub --gateway localhost -t ''
says '-t needs a value'
expect 1 "$sandmote" sn pub --serial /dev/no-such-line -t a -m x
says '/dev/no-such-line'
expect 1 "$sandmote" sn pub --gateway localhost --psk-identity pot --psk 00 -t a -m x
says '16 to 64 bytes'

expect 64 "$sandmote" sn forward --serial /dev/null
says 'forward takes --serial DEVICE and one --gateway'
expect 1 "$sandmote" sn forward --serial /dev/no-such-line --gateway localhost
says '/dev/no-such-line'

port=$((20000 + $$ % 20000))
printf 'listener %d 127.0.0.1\nallow_anonymous true\n' $port >broker.conf
"$mosquitto" -c broker.conf >broker.log 2>&1 &
broker=$!
cat >gateway.json <<END
{"name": "gateway1", "broker": {"host": "127.0.0.1", "port": $port},
 "listen": [{"address": "127.0.0.1", "port": $((port + 1))}], "without_connection": ["127.0.0.0/8"],
 "predefined": [{"id": 7, "topic": "field/7"}],
 "clients": [{"id": "*", "publish": ["#"], "subscribe": ["#"]}]}
END
"$gateway" --config gateway.json >gateway.log 2>&1 &
between=$!
trap 'kill $between $broker 2>/dev/null; wait; rm -rf "$tmp"' EXIT
tries=0
until grep -qs "broker is up" gateway.log || [ $tries = 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
done

sn() {
    what=$1
    shift
    "$sandmote" sn "$what" --gateway 127.0.0.1:$((port + 1)) --retry 2 "$@"
}

# until_there FILE: nothing shows from outside that a subscription is there but a message.
until_there() {
    tries=0
    while [ ! -s "$1" ] && [ $tries -lt 50 ]; do
        sn pub -t field/ready -m ready
        sleep 0.1
        tries=$((tries + 1))
    done
}

"$sandmote" sn sub --gateway 127.0.0.1:$((port + 1)) -t "field/#" -q 2 -v >heard 2>heard.err &
listener=$!
until_there heard
for qos in 0 1 2; do
    expect 0 sn pub -t field/1 -q $qos -m "at $qos"
done
printf 'one\ntwo\n' >lines
sn pub -t field/lines -q 1 -l <lines
expect 0 sn pub -t pre:7 -q 1 -m predefined
expect 0 sn pub -t pre:7 -q -1 -m unconnected
expect 1 sn pub -t pre:8 -m unknown
says 'sn: publish: 1 of QoS 0 refused; the gateway said: invalid topic id'
expect 1 sn pub -t pre:8 -q 1 -m unknown
says 'sn: publish: '
expect 0 sn pub -t field/kept -q 2 -r -m retained --will-topic field/gone --will-message gone
sleep 0.5
kill -INT $listener
wait $listener
is test $? = 0
grep -v '^field/ready ' heard | sort >heard.sorted
# The gateway gives what has a predefined id by that.
printf 'field/1 at 0\nfield/1 at 1\nfield/1 at 2\npre:7 predefined\npre:7 unconnected\nfield/kept retained\nfield/lines one\nfield/lines two\n' |
    sort >wanted
is diff wanted heard.sorted

# Retained, with a count; and time that is over.
expect 0 sn sub -t field/kept -C 1
prints retained
expect 1 sn sub -t field/nothing -C 1 -W 1

# A session that is kept gets what came meanwhile.
expect 0 sn sub -i pot --keep -t field/later -q 1 -W 1
expect 0 sn pub -t field/later -q 1 -m meanwhile
expect 0 sn sub -i pot --keep -t field/later -q 1 -C 1 -W 5
prints meanwhile

# Nobody there.
kill $between
wait $between
expect 1 "$sandmote" sn pub --gateway 127.0.0.1:$((port + 1)) --retry 1 -t a -m x
says 'connect: nobody answered'
finish
