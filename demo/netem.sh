#!/bin/sh
# The kernel spoils the loopback: of UDP it loses 10 %, doubles 5 % and has each up to 40 ms late, so
# that the order changes.
#
#   demo/netem.sh PROGRAM [ARG...]   runs it with one argument more, "netem", in a network namespace
#                                    of its own, and says what the kernel counted
#   demo/netem.sh --can              whether this kernel can
#   demo/netem.sh --here PROGRAM [ARG...]  on the loopback there is
#
# SPDX-License-Identifier: Apache-2.0
set -eu

spoil() {
    ip link set lo up &&
        tc qdisc add dev lo root handle 1: htb default 1 &&
        tc class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000 &&
        tc class add dev lo parent 1: classid 1:2 htb rate 1gbit quantum 60000 &&
        tc qdisc add dev lo parent 1:2 handle 2: netem loss 10% duplicate 5% delay 20ms 20ms &&
        tc filter add dev lo parent 1: protocol ip u32 match ip protocol 17 0xff flowid 1:2
}

count() {
    tc -s qdisc show dev lo | sed -n '/^qdisc netem/ {
        n
        s/^ *Sent [0-9]* bytes \([0-9]*\) pkt (dropped \([0-9]*\),.*/netem: \2 datagrams lost, \1 carried, copies among them/p
    }'
}

case $1 in
--can) unshare -rn "$0" --try 2>/dev/null ;;
--try) spoil ;;
--here)
    shift
    spoil
    status=0
    "$@" netem || status=$?
    count
    exit $status
    ;;
*) exec unshare -rn "$0" --here "$@" ;;
esac
