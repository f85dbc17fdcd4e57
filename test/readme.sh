#!/bin/sh
# The README's tour, command by command as it stands there: readme.sh SOURCE BUILD
#
# Every sh block after "Ten minutes" and "Two minutes" runs in one shell, in a folder that looks like a
# built checkout.
# Two things differ: nothing is built by `./dev demo`, and the server takes a free port. What the
# tour promises is checked at its end.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
source=$1 build=$2
dir=$(mktemp -d)
port=$((20000 + $$ % 20000))

finish() {
    status=$?
    for log in "$dir"/tour/*.log; do
        [ $status = 0 ] || { echo "== $log" && tail -n 20 "$log"; }
    done
    rm -rf "$dir"
    exit $status
}
trap finish EXIT

mkdir -p "$dir/build"
ln -s "$build" "$dir/build/gcc"
ln -s "$source/demo" "$source/guest" "$dir"
awk '/^## /{ tour = /^## (Ten|Two) minutes/ }
     /^```$/ { code = 0 }
     tour && code && !/^\.\/dev demo/
     /^```sh$/ { code = 1 }' "$source/README.md" | sed "s/8443/$port/g" >"$dir/tour.sh"
grep -q 'sandmote-fleet assign' "$dir/tour.sh" || { echo "no tour in README.md" && exit 1; }

# Monitor mode (-m) gives the tour's `kill %1 %2` its jobs, as a terminal does; the trap ends them
# when it does not come so far.
(cd "$dir" && bash -emxc "trap 'kill \$(jobs -p) 2>/dev/null || :' EXIT; . ./tour.sh")

cd "$dir/tour"
grep -q 'COMMITTED hello 1.0.0' kitchen.log
grep -q 'COMMITTED hello 2.0.0' kitchen.log
grep -q '\[hello\] tock$' kitchen.log
grep -q '\[hello\] tock, from Rust' kitchen.log
cmp reading alice.next
cmp reading carol.reading
[ ! -e carol.next ]
openssl pkeyutl -sign -rawin -inkey signer.pem -in hello-1.wasm | cmp - hello-1.wasm.sig
