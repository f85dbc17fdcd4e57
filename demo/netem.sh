#!/bin/sh
# demo/netem.sh PROGRAM [ARG...]: runs it with one argument more, "netem", in a network namespace of
# its own, on whose loopback the kernel loses UDP (10 %), doubles it (5 %) and has it late (up to
# 40 ms, so that the order changes). Where the kernel has no netem it says so and runs the program
# as it is.
#
# SPDX-License-Identifier: Apache-2.0
set -eu

spoil() {
    ip link set lo up &&
        tc qdisc add dev lo root handle 1: htb default 1 &&
        tc class add dev lo parent 1: classid 1:1 htb rate 10gbit &&
        tc class add dev lo parent 1: classid 1:2 htb rate 1gbit &&
        tc qdisc add dev lo parent 1:2 handle 2: netem loss 10% duplicate 5% delay 20ms 20ms &&
        tc filter add dev lo parent 1: protocol ip u32 match ip protocol 17 0xff flowid 1:2
}

case $1 in
--try) spoil 2>/dev/null ;;
--inside)
    shift
    spoil
    exec "$@" netem
    ;;
*)
    if unshare -rn "$0" --try; then
        exec unshare -rn "$0" --inside "$@"
    fi
    echo "no netem here (in the kernel, or tc, or no namespaces): the program spoils its datagrams"
    exec "$@"
    ;;
esac
