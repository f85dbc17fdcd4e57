;; Divides by zero in the fourth tick after each start. SPDX-License-Identifier: Apache-2.0
(module
  (global $left (mut i32) (i32.const 4))
  (func $rate (result i32)
    (i32.div_u (i32.const 6000) (global.get $left)))
  (func (export "sensor_tick")
    (global.set $left (i32.sub (global.get $left) (i32.const 1)))
    (drop (call $rate))))
