# The test-suite's scripts: sourced by who runs them.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

# convert_wasts OFFICIAL OURS DIR: as JSON and modules in DIR, the official ones without SIMD and ours
# (test/wasm/wast), which are about what this translator makes of modules.
convert_wasts() {
    awk -f "$2/far.awk" >"$3/far.wast"
    for wast in "$1"/*.wast "$2"/*.wast "$3/far.wast"; do
        case $wast in */simd_*) continue ;; esac
        wast2json "$wast" -o "$3/$(basename "$wast" .wast).json"
    done
}
