;; Reads a Modbus transmitter's two input registers one by one: tenths of a degree, tenths of %RH.
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "env" "modbus_read_input" (func $read (param i32 i32 i32) (result i32)))
  (memory 1)
  (func $register (param $reg i32) (result f64)
    (drop (call $read (local.get $reg) (i32.const 16) (i32.const 1)))
    (f64.div (f64.convert_i32_s (i32.load16_s (i32.const 16))) (f64.const 10)))
  (func (export "read_temperature") (result f64) (call $register (i32.const 1)))
  (func (export "read_humidity") (result f64) (call $register (i32.const 2))))
