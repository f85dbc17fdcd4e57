#!/bin/sh
# The examples on the real host: the same lines in each language. examples.sh SANDMOTE MODULES
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 modules=$2
. "$(cd "$(dirname "$0")" && pwd)/../cli/lib.sh"

# run NAME SENSORS: one tick of the packed module.
run() {
    expect 0 "$sandmote" run --invoke sensor_tick --sensors "$2" "$1.wasm"
}
# logs LINE...: all that the last command said.
logs() {
    checks=$((checks + 1))
    printf 'log: %s\n' "$@" | cmp -s - err || fail "$last: does not log: $*"
}
# pack NAME [SED]: with its manifest, changed by a sed script.
pack() {
    sed "${2:-}" "$modules/$1.json" >m.json
    expect 0 "$sandmote" pack --manifest m.json "$modules/$1.wasm" -o "$1.wasm"
}

for language in '' -rs -as; do
    if [ ! -e "$modules/climate$language.wasm" ]; then
        echo "skipped: climate$language and logger$language, for want of AssemblyScript (./dev install)"
        continue
    fi
    name=climate$language
    pack $name
    run $name BME280=temperature:21560,humidity:60001
    logs 'climate: 60.0 %RH at 21.5 C: humid'
    run $name BME280=temperature:-560,humidity:60000,pressure:101325000
    logs 'climate: 60.0 %RH at -0.5 C: dry'
    run $name BME280=temperature:-560
    logs 'climate: no value, error -2'
    run $name 'BME280=temperature:1,humidity:none.txt'
    logs 'climate: no value, error -5'
    pack $name /humidity/d
    expect 0 "$sandmote" run --invoke sensor_tick --sensors BME280=temperature:21560,humidity:60001 \
        $name.wasm
    says 'climate: no value, error -1'

    name=logger$language
    pack $name
    run $name BME280=temperature:21560,humidity:45123,pressure:101325000
    logs 'logger: SampRate 200000000' 'logger: temperature is 21.560 degC' \
        'logger: humidity is 45.123 %RH' 'logger: pressure is 101325.000 Pa' \
        'logger: 21.560 degC 45.123 %RH 101325.000 Pa'
    run $name BME280=wobble:7,temperature:-40
    says 'logger: temperature is -0.040 degC'
    pack $name /pressure/d
    run $name BME280=temperature:5,humidity:0,pressure:101325000
    says 'logger: 0.005 degC 0.000 %RH'
    # A driver and a chip that measures, which rounds.
    pack $name
    run $name 'BME280=BME280@0x76 temperature=21.5 humidity=45'
    says 'logger: 21.496 degC 45.001 %RH 101325.781 Pa'
done

# The paper's Listing 2, whose main() is the entry.
pack listing2
expect 0 "$sandmote" run --sensors BME280=humidity:45123 listing2.wasm
says_nothing
expect 0 "$sandmote" run --sensors 'BME280=BME280@0x76 humidity=45' listing2.wasm
says_nothing
expect 0 "$sandmote" inspect listing2.wasm
shows 'main'

# The plugins' manifests.
for name in plugin_tmp plugin_tmp105 plugin_tmp105-c plugin_tmp105-as; do
    [ -e "$modules/$name.wasm" ] || continue # without AssemblyScript
    pack $name
    expect 0 "$sandmote" inspect $name.wasm
    shows 'env.i2c_read (i32 i32 i32 i32) -> (i32)'
    shows 'read_temperature () -> (f32)'
done

finish
