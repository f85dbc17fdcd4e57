#!/bin/sh
# sandmote pack and inspect: manifests in, manifests out. pack.sh SANDMOTE WAT2WASM MODULES
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 wat2wasm=$2 modules=$3
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"

printf '(module (memory 2) (func (export "sensor_tick")) (func (export "with") (param i32)))' >m.wat
"$wat2wasm" m.wat -o m.wasm
least='"fleet": "plant-7", "name": "thermostat", "version": "1.2.0", "sequence": 3, "classes": ["mcu"]'

# manifest KEYS: a manifest of the least there must be, and these.
manifest() {
    printf '{%s%s}\n' "$least" "${1:+, $1}" >m.json
}
# refused KEYS TEXT: with these keys pack fails and says the text.
refused() {
    rm -f out.wasm
    manifest "$1"
    expect 1 "$sandmote" pack --manifest m.json m.wasm -o out.wasm
    says "$2"
    is test ! -e out.wasm
}

# Everything said comes back; what is absent has its default.
manifest '"kind": "application", "security_floor": 2, "entry": "with", "period_ms": 250,
  "memory_bytes": 70000, "stack_bytes": 8192, "capabilities": ["sensor/BME280/temperature:r", "log"],
  "interface": 2, "health": {"good_ticks": 5, "timeout_ms": 9000}'
expect 0 "$sandmote" pack --manifest m.json m.wasm -o full.wasm
shows 'thermostat 1.2.0 sequence 3 for fleet plant-7'
expect 0 "$sandmote" inspect full.wasm
shows '  fleet           plant-7'
shows '  security_floor  2'
shows '  classes         mcu'
shows '  entry           with'
shows '  period_ms       250'
shows '  memory_bytes    70000'
shows '  stack_bytes     8192'
shows '  capabilities    log sensor/BME280/temperature:r'
shows '  interface       2'
shows '  health          5 good ticks within 9000 ms'
manifest
expect 0 "$sandmote" pack --manifest m.json m.wasm -o least.wasm
says 'm.wasm: memory_bytes is 131072, all that it declares: what it uses cannot be known'
expect 0 "$sandmote" inspect least.wasm
shows '  kind            application'
shows '  security_floor  0'
shows '  entry           sensor_tick'
shows '  period_ms       1000'
shows '  memory_bytes    131072'
shows '  stack_bytes     4096'
shows '  capabilities    none'
shows '  interface       1'
shows '  health          3 good ticks within 30000 ms'
expect 0 "$sandmote" validate least.wasm

# The module's other bytes stay as they are.
is test "$(tail -c +9 m.wasm | sha256sum)" = \
    "$(tail -c $(($(wc -c <m.wasm) - 8)) least.wasm | sha256sum)"

# Nothing is replaced silently.
expect 1 "$sandmote" pack --manifest m.json least.wasm -o again.wasm
says 'least.wasm: has a manifest already'
manifest '"period_ms": 777'
expect 0 "$sandmote" pack --replace --manifest m.json least.wasm -o again.wasm
expect 0 "$sandmote" inspect again.wasm
shows '  period_ms       777'
expect 1 "$sandmote" pack --manifest m.json m.wasm -o ./m.wasm
says './m.wasm: is the input too'

# What is wrong is named, with what would be right.
refused '"periode_ms": 5' 'm.json: periode_ms: unknown key; known are kind, fleet, name,'
refused '"health": {"ticks": 5}' 'm.json: health.ticks: unknown key; known are good_ticks, timeout_ms'
refused '"period_ms": "5"' 'm.json: period_ms: must be a whole number'
refused '"period_ms": 5' 'm.json: period_ms: must be a whole number from 10 to 86400000'
refused '"security_floor": 4' 'key security_floor: the security floor is above the sequence'
refused '"kind": "firmware"' 'm.json: kind: "firmware" is neither "application" nor "plugin"'
refused '"stack_bytes": 63' 'm.json: stack_bytes: must be a whole number from 64 to 16777216'
refused '"memory_bytes": 4294967297' 'm.json: memory_bytes: must be a whole number from 0 to 4294967296'
refused '"memory_bytes": -1' 'm.json: memory_bytes: must be a whole number from 0 to 4294967296'
refused '"memory_bytes": 0' 'm.json: memory_bytes is 0, and m.wasm needs 65537 or more to start'
for wrong in topic/a topic/a#:p topic/a:sp gateway/x rate/0 rate/1001 queue/256; do
    refused "\"capabilities\": [\"$wrong\"]" "capabilities: \"$wrong\" is not "
done
refused '"capabilities": ["log", "log"]' 'key capabilities: a capability stands twice'
refused '"capabilities": ["a b"]' 'key capabilities: only printable ASCII without spaces'
refused '"capabilities": [1]' 'm.json: capabilities: each must be a text of at most 96 bytes'
refused '"health": {"good_ticks": 0}' 'key health.good_ticks: the number is too small (1 to 1000)'
refused '"name": "x"' 'm.json: not JSON: line 1'
saved=$least
least='"name": "a", "version": "1", "sequence": 3, "classes": ["mcu"]'
refused '' 'm.json: fleet: is missing'
refused '"fleet": "Plant 7"' 'key fleet: only a-z 0-9 . _ - may stand in this text'
refused '"fleet": ".."' 'key fleet: a name begins with a letter or a digit'
refused '"fleet": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"' 'm.json: fleet: must have 0 to 32 bytes'
least='"fleet": "a", "name": "a", "version": "1", "sequence": 3'
refused '"classes": []' 'key classes: no class is named'
refused '"classes": ["cloud"]' 'm.json: classes: "cloud" is none of "mcu", "mpu", "gateway", "edge"'
refused '"classes": [7]' 'm.json: classes: an element is none of'
least='"fleet": "a", "name": "a", "version": "1", "classes": ["mcu"]'
refused '"sequence": 0' 'm.json: sequence: must be a whole number from 1 to 9223372036854775807'
refused '"sequence": -1' 'm.json: sequence: must be a whole number'
refused '"sequence": 9223372036854775808' 'm.json: not JSON'
least=$saved
echo '[]' >m.json
expect 1 "$sandmote" pack --manifest m.json m.wasm -o out.wasm
says 'm.json: the JSON text must be an object'
expect 1 "$sandmote" pack --manifest absent.json m.wasm -o out.wasm
says 'absent.json'
manifest
expect 1 "$sandmote" pack --manifest m.json absent.wasm -o out.wasm
expect 1 "$sandmote" pack --manifest m.json m.wasm -o nowhere/out.wasm
says 'nowhere/out.wasm'
expect 64 "$sandmote" pack m.wasm -o out.wasm
says '--manifest is missing'
expect 64 "$sandmote" pack --manifest m.json m.wasm
says '-o is missing'
head -c 20 m.wasm >cut.wasm
expect 2 "$sandmote" pack --manifest m.json cut.wasm -o out.wasm
says 'cut.wasm: not a valid module at offset'

# A plugin's attributes come back too.
saved=$least
least="$least, \"kind\": \"plugin\""
# attributes LIST: the keys of a sensor that has them.
attributes() {
    printf '"sensor": {"id": "T1", "model": "TMP105", "bus": "i2c-1", "address": 72,
        "capabilities": [{"name": "temperature", "unit": "degC"}], "attributes": [%s]}' "$1"
}
range='"min": -5, "max": 5, "initial": 0'
manifest "$(attributes '{"name": "alert", "unit": "degC", "decimals": 1, "min": -550, "max": 1250,
    "initial": -10, "writes": "lowest"}, {"name": "serial", "decimals": 0, "min": 0, "max": 7, "initial": 0}')"
expect 0 "$sandmote" pack --manifest m.json m.wasm -o plugin.wasm
expect 0 "$sandmote" inspect plugin.wasm
shows '  sensor          T1: a TMP105 on i2c-1 at 0x48, measures temperature in parts of degC'
shows '  attribute       alert: -550 to 1250, at first -10, times 10^-1 degC; written by rule lowest'
shows '  attribute       serial: 0 to 7, at first 0, times 10^-0 1; read only'
refused "$(attributes '{"name": "a"}')" 'sensor.attributes[0].min: is missing'
refused "$(attributes "{\"name\": \"a\", \"min\": 0.5, \"max\": 1, \"initial\": 1}")" \
    'sensor.attributes[0].min: must be a whole number'
refused "$(attributes "{\"name\": \"a\", \"writes\": \"all\", $range}")" \
    'sensor.attributes[0].writes: "all" is none of "lowest", "highest", "holder"'
refused "$(attributes "{\"name\": \"a\", \"unit\": \"F\", $range}")" \
    'sensor.attributes[0].unit: there is no unit "F"'
refused "$(attributes '{"name": "a", "min": 1, "max": 2, "initial": 0}')" \
    'key sensor.attributes: its initial value is not in its range'
refused "$(attributes "{\"name\": \"temperature\", $range}")" \
    'key sensor.attributes: a capability has this name'
least=$saved

# ranges MORE: the keys of a sensor whose capability has these besides.
ranges() {
    printf '"kind": "plugin", "sensor": {"id": "T1", "model": "TMP105", "bus": "i2c-1", "address": 72,
        "capabilities": [{"name": "temperature", "unit": "degC", %s}]}' "$1"
}
manifest "$(ranges '"min": -55000, "max": 127938')"
expect 0 "$sandmote" pack --manifest m.json m.wasm -o plugin.wasm
expect 0 "$sandmote" inspect plugin.wasm
shows 'measures temperature in parts of degC from -55000 to 127938'
for wrong in '"min": 1' '"max": 1' '"min": 1, "max": 1' '"min": 0, "max": 2147483648'; do
    refused "$(ranges "$wrong")" 'm.json: sensor.capabilities[0]: min and max are both absent, or'
done

# What a device would refuse is said, and packed all the same.
manifest '"entry": "tick"'
expect 0 "$sandmote" pack --manifest m.json m.wasm -o out.wasm
says 'warning: it exports no function "tick"'
manifest '"entry": "with"'
expect 0 "$sandmote" pack --manifest m.json m.wasm -o out.wasm
says 'warning: the entry "with" takes parameters'
refused '"memory_bytes": 65536' 'm.json: memory_bytes is 65536, and m.wasm needs 65537 or more to start'
manifest '"memory_bytes": 65540'
expect 0 "$sandmote" pack --manifest m.json m.wasm -o out.wasm
says_nothing
manifest '"memory_bytes": 131073'
expect 0 "$sandmote" pack --manifest m.json m.wasm -o out.wasm
says 'devices of class mcu give at most 131072'
manifest '"period_ms": 60000'
expect 0 "$sandmote" pack --manifest m.json m.wasm -o out.wasm
says 'm.json: warning: 3 good ticks every 60000 ms take longer than health.timeout_ms, 30000'

# How much memory a module uses is read from what its linker left in it.
# uses WAT BYTES HOW: packed without memory_bytes, it gets so many, for this reason.
uses() {
    printf '(module (func (export "sensor_tick")) %s)' "$1" >u.wat
    "$wat2wasm" u.wat -o u.wasm
    manifest
    expect 0 "$sandmote" pack --manifest m.json u.wasm -o out.wasm
    says_nothing
    shows "memory_bytes $2: $3"
    expect 0 "$sandmote" inspect out.wasm
    shows "  memory_bytes    $2"
}
stack='(global (mut i32) (i32.const 1024))'
heap='(global (export "__heap_base") i32 (i32.const 1104))'
end='(global (export "__data_end") i32 (i32.const 1101))'
data='(data (i32.const 1024) "abc")'
uses "(memory 1) $stack $heap $data" 1104 'up to __heap_base'
uses "(memory 1) $stack $end $data" 1101 'up to __data_end'
uses "(memory 1) $stack $end $heap" 1104 'up to __heap_base'
uses "(memory 1) $end (data (i32.const 1099) \"abc\")" 1102 'up to the end of its data'
uses "(memory 1) (global (mut i32) (i32.const 2064)) $data" 2064 "up to the stack's top"
uses "(memory 1) (global (mut i32) (i32.const 2064)) $end $data" 2064 "up to the stack's top"
uses "(memory 2) $heap (func (drop (memory.size)))" 131072 'its code asks how much it has'
uses "(memory 2) $heap (func (drop (memory.grow (i32.const 1))))" 131072 'its code asks how much'
uses '' 0 'it has no memory'
# unknown WAT: what it uses cannot be known, and what to do is said.
unknown() {
    printf '(module (func (export "sensor_tick")) %s)' "$1" >u.wat
    "$wat2wasm" u.wat -o u.wasm
    expect 0 "$sandmote" pack --manifest m.json u.wasm -o out.wasm
    says 'u.wasm: memory_bytes is 65536, all that it declares: what it uses cannot be known'
    says 'Link it with --export=__heap_base (clang -Wl,--export=__heap_base'
    says 'or write memory_bytes in m.json'
    expect 0 "$sandmote" inspect out.wasm
    shows 'of these it uses 65536 bytes: all it declares, for want of __heap_base'
}
unknown "(memory 1) $stack $data"
unknown "(memory 1) $stack"
unknown "(memory 1) $data"
unknown "(memory 1) (global (mut i32) (i32.const 2060)) $data"
unknown "(memory 1) (global (export \"__heap_base\") i32 (i32.const 65537))"
unknown "(memory 1) (global (export \"__heap_base\") i64 (i64.const 1104))"
# A manifest that gives less than that is warned of.
printf '(module (memory 1) (func (export "sensor_tick")) %s)' "$stack $heap $data" >u.wat
"$wat2wasm" u.wat -o u.wasm
manifest '"memory_bytes": 1103'
expect 0 "$sandmote" pack --manifest m.json u.wasm -o out.wasm
says 'warning: it uses 1104 bytes of memory (up to __heap_base), its manifest allows 1103'
manifest '"memory_bytes": 1026'
expect 1 "$sandmote" pack --manifest m.json u.wasm -o out.wasm
says 'm.json: memory_bytes is 1026, and u.wasm needs 1027 or more to start'

# The example modules, of C and of Rust, run in a part of a page.
for name in thermostat-1 thermostat-2 thermostat-rs-1 thermostat-rs-2 heartbeat; do
    expect 0 "$sandmote" pack --manifest "$modules/$name.json" "$modules/$name.wasm" -o out.wasm
    says_nothing
    bytes=$(sed -n 's/^memory_bytes \([0-9]*\): up to __heap_base$/\1/p' out)
    is test "$bytes" -gt 1024 -a "$bytes" -lt 1280
    expect 0 "$sandmote" run --invoke sensor_tick out.wasm
    says 'log: '
done

# A packed module runs within its manifest.
printf '(module (memory 1) (func (export "main") (result i32) i32.const 1 memory.grow))' >g.wat
"$wat2wasm" g.wat -o g.wasm
expect 0 "$sandmote" run g.wasm
prints i32:1
manifest '"entry": "main"'
expect 0 "$sandmote" pack --manifest m.json g.wasm -o out.wasm
expect 0 "$sandmote" run out.wasm
prints i32:-1

printf '(module (import "sandmote" "log" (func (param i32 i32))) (func (export "main")))' >l.wat
"$wat2wasm" l.wat -o l.wasm
expect 0 "$sandmote" pack --manifest m.json l.wasm -o out.wasm
expect 5 "$sandmote" run out.wasm
says 'import 0 is not among the capabilities that the manifest asks for: function sandmote.log'
manifest '"entry": "main", "capabilities": ["log"]'
expect 0 "$sandmote" pack --manifest m.json l.wasm -o out.wasm
expect 0 "$sandmote" run out.wasm

# Inspecting what is broken.
expect 0 "$sandmote" inspect m.wasm
shows 'manifest   none'
shows 'signature  none'
shows '  function sensor_tick () -> ()'
shows 'memory     2 pages at start'
{ printf '\0asm\1\0\0\0\0\014\010sandmote\241\1\2'; } >future.wasm
expect 1 "$sandmote" inspect future.wasm
says 'a manifest of format 2, from the future (this tool knows format 1)'
{ printf '\0asm\1\0\0\0\0\014\010sandmote\241\1\1'; } >short.wasm
expect 1 "$sandmote" inspect short.wasm
says 'short.wasm: manifest, key kind, offset 0x15: a required key is missing'
expect 2 "$sandmote" inspect cut.wasm
shows 'bytes      20'
expect 1 "$sandmote" inspect absent.wasm
expect 64 "$sandmote" inspect

finish
