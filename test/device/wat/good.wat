;; Ticks, counts, is healthy from the second tick on. SPDX-License-Identifier: Apache-2.0
(module
  (import "sandmote" "log" (func $log (param i32 i32)))
  (memory (export "memory") 1)
  (global $ticks (mut i32) (i32.const 0))
  (data (i32.const 16) "tick")
  (func (export "sensor_tick")
    (global.set $ticks (i32.add (global.get $ticks) (i32.const 1)))
    (call $log (i32.const 16) (i32.const 4)))
  (func (export "health") (result i32)
    (i32.lt_u (global.get $ticks) (i32.const 2))))
