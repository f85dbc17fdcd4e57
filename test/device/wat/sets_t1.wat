;; Sets T1/alert_high to 30 degrees, once, and to a million, which is refused. Logs the attribute's
;; number as it is read then, the code of the refusal, and the names of T1's attributes.
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "wasi_sn" "config" (func $config (param i32 i32 i32) (result i32)))
  (import "wasi_sn" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_sn" "lastError" (func $error (result i32)))
  (import "sandmote" "log" (func $log (param i32 i32)))
  (memory 1)
  (data (i32.const 0) "T1\00alert_high\00attributes\00")
  (data (i32.const 64) "00000 -0 ")
  (func $digits (param $n i32) (local $at i32)
    (local.set $at (i32.const 68))
    (loop $next
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
      (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (br_if $next (i32.ge_u (local.get $at) (i32.const 64)))))
  (func (export "sensor_tick")
    (drop (call $config (i32.const 0) (i32.const 3) (i32.const 30000)))
    (drop (call $config (i32.const 0) (i32.const 3) (i32.const 1000000)))
    (i32.store8 (i32.const 71) (i32.sub (i32.const 48) (call $error)))
    (drop (call $read (i32.const 0) (i32.const 3) (i32.const 128) (i32.const 4)))
    (call $digits (i32.load (i32.const 128)))
    (drop (call $read (i32.const 0) (i32.const 14) (i32.const 73) (i32.const 50)))
    (call $log (i32.const 64) (i32.const 39))))
