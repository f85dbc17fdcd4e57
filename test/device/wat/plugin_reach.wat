;; Reaches for the chip next door, twice a reading, and gives what it is told: REFUSED.
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "env" "i2c_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory 1)
  (func (export "read_temperature") (result i32)
    (drop (call $read (i32.const 0x49) (i32.const 0) (i32.const 0) (i32.const 2)))
    (call $read (i32.const 0x49) (i32.const 0) (i32.const 0) (i32.const 2))))
