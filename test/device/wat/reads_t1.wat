;; Reads T1/temperature each tick and logs its four bytes as two letters of the thousands:
;; "21" for 21500; "no" when there is no value.
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "wasi_sn" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "sandmote" "log" (func $log (param i32 i32)))
  (memory 1)
  (data (i32.const 0) "T1\00temperature\00no")
  (func (export "sensor_tick") (local $t i32)
    (if (i32.eq (call $read (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 4)) (i32.const 1))
      (then
        (local.set $t (i32.div_s (i32.load (i32.const 64)) (i32.const 1000)))
        (i32.store8 (i32.const 32)
          (i32.add (i32.const 48) (i32.div_s (local.get $t) (i32.const 10))))
        (i32.store8 (i32.const 33)
          (i32.add (i32.const 48) (i32.rem_s (local.get $t) (i32.const 10))))
        (call $log (i32.const 32) (i32.const 2)))
      (else (call $log (i32.const 15) (i32.const 2))))))
