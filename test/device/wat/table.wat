;; Calls through its table, which is filled from a passive segment; divides by zero in the fourth
;; tick. Restarted, it must find its own functions again. SPDX-License-Identifier: Apache-2.0
(module
  (type $t (func (result i32)))
  (table 2 funcref)
  (elem $e func $seven $rate)
  (global $left (mut i32) (i32.const 4))
  (func $seven (result i32) (i32.const 7))
  (func $rate (result i32) (i32.div_u (i32.const 6000) (global.get $left)))
  (func (export "sensor_tick")
    (global.set $left (i32.sub (global.get $left) (i32.const 1)))
    (table.init $e (i32.const 0) (i32.const 0) (i32.const 2))
    (if (i32.ne (call_indirect (type $t) (i32.const 0)) (i32.const 7)) (then unreachable))
    (drop (call_indirect (type $t) (i32.const 1)))))
