;; Drives a TMP105 at 0x48: its register is left-justified, 12 bits of 1/16 degree.
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "env" "i2c_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "env" "i2c_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory 1)
  (data (i32.const 8) "\60") ;; 12 bits
  (func (export "read_temperature") (result f32)
    (drop (call $write (i32.const 0x48) (i32.const 1) (i32.const 8) (i32.const 1)))
    (drop (call $read (i32.const 0x48) (i32.const 0) (i32.const 0) (i32.const 2)))
    (f32.div
      (f32.convert_i32_s
        (i32.shr_s
          (i32.or (i32.shl (i32.load8_s (i32.const 0)) (i32.const 8)) (i32.load8_u (i32.const 1)))
          (i32.const 4)))
      (f32.const 16))))
