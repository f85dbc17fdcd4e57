#!/bin/sh
# sandmote run and validate: results, exit statuses, reports. run.sh SANDMOTE WAT2WASM SANDMOTED
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 wat2wasm=$2 sandmoted=$3
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

# module NAME TEXT: assembles a module.
module() {
    printf '%s\n' "$2" >"$1.wat"
    "$wat2wasm" --debug-names "$1.wat" -o "$1.wasm"
}
"$wat2wasm" --debug-names "$here/run.wat" -o m.wasm

# Results, one a line.
expect 0 "$sandmote" run m.wasm
prints i32:1
says_nothing
expect 0 "$sandmote" run --invoke swap m.wasm -5 7
prints i64:7 i32:-5
expect 0 "$sandmote" run --invoke=swap m.wasm 0xffffffff -1
prints i64:-1 i32:-1
expect 0 "$sandmote" run --invoke f32 m.wasm 3
prints f32:0x1.8p+1
expect 0 "$sandmote" run --invoke f64 m.wasm nan
prints f64:nan:0x8000000000000
expect 0 "$sandmote" run --invoke f64 m.wasm -nan:0x1
prints f64:-nan:0x1
expect 0 "$sandmote" run --invoke f64 m.wasm -inf
prints f64:-inf
expect 0 "$sandmote" run --invoke f64 m.wasm f64:0x1p-3
prints f64:0x1p-3
expect 0 "$sandmote" run --invoke refs m.wasm null
prints externref:null funcref:null
expect 0 "$sandmote" run --invoke refs m.wasm 7
prints externref:7 funcref:null

# Traps: the report names code, function, offset and the way there.
expect 3 "$sandmote" run --invoke divide m.wasm 0
is test ! -s out
says 'm.wasm: trap: integer divide by zero'
says '#0 function 8 "inner" at offset 0x'
says '#1 function 9 "divide" at offset 0x'
expect 3 "$sandmote" run --invoke deep m.wasm
says 'trap: call stack exhausted'
says 'more'
expect 3 "$sandmote" run --invoke store m.wasm 65536
says 'trap: out of bounds memory access'
module start '(module (func $boom unreachable) (start $boom) (func (export "main")))'
expect 3 "$sandmote" run start.wasm
says 'trap in the start function: unreachable'
says '#0 function 0 "boom"'
module segment '(module (memory 1) (data (i32.const 65536) "x") (func (export "main")))'
expect 3 "$sandmote" run segment.wasm
says 'out of bounds memory access (a segment does not fit at the start)'

# A start function may be all there is to run; who names another function means that one.
module alone '(module (import "sandmote" "log" (func $log (param i32 i32)))
    (memory 1) (data (i32.const 8) "started")
    (func $s (call $log (i32.const 8) (i32.const 7))) (start $s) (func (export "tick")))'
expect 0 "$sandmote" run alone.wasm
says 'log: started'
is test ! -s out
expect 64 "$sandmote" run alone.wasm 1
says 'the function takes 0 arguments, 1 is given'
expect 64 "$sandmote" run --invoke main alone.wasm
says 'no exported function is called "main"'

# A manifest that cannot be read is an error, as on a device.
{ printf '\0asm\1\0\0\0\0\014\010sandmote\241\1\1'; tail -c +9 m.wasm; } >broken.wasm
expect 1 "$sandmote" run broken.wasm
is test ! -s out
says 'broken.wasm: manifest, key kind, offset 0x15: a required key is missing'

# The epoch, also of the start function.
expect 4 "$sandmote" run --epoch-ms 30 --invoke spin m.wasm
says 'interrupted: it ran longer than its epoch of 30 ms'
says '"spin"'
expect 4 "$sandmote" run --class mcu --invoke spin m.wasm
says 'its epoch of 10 ms'
module spin '(module (func $s (loop br 0)) (start $s) (func (export "main")))'
expect 4 "$sandmote" run --class mcu spin.wasm
says 'interrupted in the start function'

# Memory: the limit, its last byte, growth beyond it, more than it at the start.
expect 0 "$sandmote" run --memory 100 --invoke store m.wasm 99
expect 3 "$sandmote" run --memory 100 --invoke store m.wasm 100
expect 0 "$sandmote" run --class mcu --invoke grow m.wasm 1
prints i32:1
expect 0 "$sandmote" run --class mcu --invoke grow m.wasm 2
prints i32:-1
module big '(module (memory 3) (func (export "main")))'
expect 1 "$sandmote" run --class mcu big.wasm
says 'needs more memory than the 131072 bytes'
expect 0 "$sandmote" run --class mcu --memory 196608 big.wasm

# Missing imports are named.
module import '(module (import "env" "print" (func (param i32))) (func (export "main")))'
expect 5 "$sandmote" run import.wasm
says 'import.wasm: import 0 is missing: function env.print'
module import2 '(module (import "env" "m\1b[31m" (memory 1)) (func (export "main")))'
expect 5 "$sandmote" run import2.wasm
says 'memory env.m\1b[31m'

module import3 '(module (import "sandmote" "log" (func (param i32 i32))) (import "a" "b" (func))
    (import "wasi_sn" "read" (func (param i32 i32 i32 i32) (result i32))) (func (export "main")))'
expect 5 "$sandmote" run import3.wasm
says 'import 1 is missing: function a.b'
says 'import 2 is not among the capabilities that the manifest asks for: function wasi_sn.read'
module import4 '(module (import "sandmote" "log" (func (param i32))) (func (export "main")))'
expect 5 "$sandmote" run import4.wasm
says 'import 0 has another type here: function sandmote.log'

# The host's functions: the log goes to stderr, bad pointers trap.
module log '(module (import "sandmote" "log" (func $log (param i32 i32)))
    (import "sandmote" "uptime_ms" (func $uptime (result i64)))
    (memory 1) (data (i32.const 8) "hello")
    (func (export "main") (result i32)
        (call $log (i32.const 8) (i32.const 5))
        (i64.lt_u (call $uptime) (i64.const 60000)))
    (func (export "stray") (call $log (i32.const 65535) (i32.const 2))))'
expect 0 "$sandmote" run log.wasm
prints i32:1
says 'log: hello'
expect 3 "$sandmote" run --invoke stray log.wasm
says 'trap: host function failed: sandmote.log: a pointer outside the module'"'"'s memory'
says '"stray" at offset 0x'

# Sensors: fixed values and simulated chips, whose measurements the module waits for.
module sensor '(module (import "wasi_sn" "read" (func $read (param i32 i32 i32 i32) (result i32)))
    (memory 1) (data (i32.const 0) "BME280\00temperature\00")
    (func (export "main") (result i32)
        (drop (call $read (i32.const 0) (i32.const 7) (i32.const 64) (i32.const 4)))
        (i32.load (i32.const 64))))'
cat >sensor.json <<'END'
{"kind": "application", "fleet": "f", "name": "n", "version": "1", "sequence": 1, "entry": "main",
 "classes": ["edge"], "memory_bytes": 65536, "stack_bytes": 1024, "interface": 2,
 "capabilities": ["sensor/BME280/temperature:r"]}
END
expect 0 "$sandmote" pack --manifest sensor.json -o s.wasm sensor.wasm
expect 0 "$sandmote" run s.wasm
prints i32:0
expect 0 "$sandmote" run --sensors 'door=open:1;BME280=humidity:4,temperature:-21500' s.wasm
prints i32:-21500
expect 0 "$sandmote" run --sensors 'BME280=BME280@0x76 temperature=21.5' s.wasm
prints i32:21496
expect 64 "$sandmote" run --sensors 'BME280' s.wasm
says '--sensors: must be ID='
expect 64 "$sandmote" run --sensors 'BME280=BME281@0x76' s.wasm
says 'there is no such chip'

# What the log does not have is told at the end: a gas sensor, which needs a while after it is switched
# on, is there at once; a right that is missing has one line; lines come no faster than they may.
sed 's|temperature:r|co2:r", "log|' sensor.json >gas.json
module gas '(module (import "wasi_sn" "read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "sandmote" "log" (func $log (param i32 i32)))
    (memory 1) (data (i32.const 0) "BME280\00co2\00voc\00")
    (func (export "main") (result i32) (local $n i32)
        (drop (call $read (i32.const 0) (i32.const 7) (i32.const 64) (i32.const 4)))
        (loop $again
            (drop (call $read (i32.const 0) (i32.const 11) (i32.const 68) (i32.const 4)))
            (call $log (i32.const 7) (i32.const 3))
            (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))
                (i32.const 40))))
        (i32.load (i32.const 64))))'
expect 0 "$sandmote" pack --manifest gas.json -o g.wasm gas.wasm
expect 0 "$sandmote" run --sensors 'BME280=CCS811@0x5a co2=600' g.wasm
prints i32:600
says 'log: refused sensor/BME280/voc:r: not granted'
says ' lines dropped)'
says 'log: (40 calls refused in all)'

# Usage.
expect 64 "$sandmote"
expect 64 "$sandmote" frobnicate
says 'no command is called "frobnicate"'
expect 64 "$sandmote" run
expect 64 "$sandmote" run --colour m.wasm
says 'unknown option --colour; known are --invoke --class --memory --epoch-ms'
expect 64 "$sandmote" run --invoke
says '--invoke needs a value'
expect 64 "$sandmote" run --class huge m.wasm
expect 64 "$sandmote" run --memory 4294967297 m.wasm
expect 64 "$sandmote" run --memory -1 m.wasm
expect 64 "$sandmote" run --epoch-ms 1s m.wasm
expect 64 "$sandmote" run --invoke nothing m.wasm
says 'no exported function is called "nothing"'
says 'divide (i32) -> (i32)'
expect 64 "$sandmote" run --invoke divide m.wasm
says 'takes 1 argument, 0 are given'
expect 64 "$sandmote" run --invoke divide m.wasm 1 2
expect 64 "$sandmote" run --invoke divide m.wasm 1.5
says 'argument 1, "1.5", is no i32: not a whole number'
module quiet '(module (func (export "tick")))'
expect 64 "$sandmote" run quiet.wasm
says 'neither _start nor main is exported'
says 'tick () -> ()'
module empty '(module)'
expect 64 "$sandmote" run empty.wasm
says 'it exports no functions'
expect 1 "$sandmote" run nowhere.wasm
says 'nowhere.wasm'

# Files that are no modules: where, and by which rule.
expect 0 "$sandmote" validate m.wasm empty.wasm
prints 'm.wasm: valid' 'empty.wasm: valid'
printf '\0asm\1\0\0\0\1\5\1\140\0\1\177\3\2\1\0\12\6\1\4\0\102\0\13' >type.wasm
expect 2 "$sandmote" validate type.wasm
says 'type.wasm: not a valid module at offset 0x1a (26): type mismatch'
expect 2 "$sandmote" run type.wasm
says 'type mismatch'
head -c 30 m.wasm >cut.wasm
expect 2 "$sandmote" validate m.wasm cut.wasm
says 'cut.wasm: not a valid module at offset'
shows 'm.wasm: valid'
expect 2 "$sandmote" validate cut.wasm nowhere.wasm
expect 2 "$sandmote" validate nowhere.wasm cut.wasm
expect 1 "$sandmote" validate nowhere.wasm
expect 64 "$sandmote" validate

# Help goes to stdout and names every command.
expect 0 "$sandmote" help
says_nothing
for command in key pack sign verify inspect validate run; do
    expect 0 "$sandmote" help
    shows "  $command "
    expect 0 "$sandmote" help $command
    shows "usage: sandmote $command"
    for flag in --help -h; do
        expect 0 "$sandmote" $command $flag
        says_nothing
        shows "usage: sandmote $command"
    done
done
for flag in --help -h; do
    expect 0 "$sandmoted" $flag
    says_nothing
    shows 'usage: sandmoted --config FILE'
done
expect 64 "$sandmoted"
expect 64 "$sandmote" help frobnicate

finish
