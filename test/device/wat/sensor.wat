;; Reads BME280/temperature; healthy when it got 21500 and was refused humidity.
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "wasi_sn" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory 1)
  (data (i32.const 0) "BME280\00temperature\00humidity\00BME280/temperature:r\00")
  (global $ok (mut i32) (i32.const 0))
  (func (export "sensor_tick")
    (global.set $ok
      (i32.and
        (i32.and
          (i32.eq (call $read (i32.const 0) (i32.const 7) (i32.const 64) (i32.const 4)) (i32.const 1))
          (i32.eq (i32.load (i32.const 64)) (i32.const 21500)))
        (i32.and
          (i32.eqz (call $read (i32.const 0) (i32.const 19) (i32.const 64) (i32.const 4)))
          (i32.eqz (call $read (i32.const 0) (i32.const 7) (i32.const 64) (i32.const 3)))))))
  (func (export "health") (result i32) (i32.eqz (global.get $ok))))
