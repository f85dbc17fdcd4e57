;; Hands the host a pointer outside its memory in the fourth tick. SPDX-License-Identifier: Apache-2.0
(module
  (import "sandmote" "log" (func $log (param i32 i32)))
  (memory 1)
  (global $ticks (mut i32) (i32.const 0))
  (func (export "sensor_tick")
    (global.set $ticks (i32.add (global.get $ticks) (i32.const 1)))
    (if (i32.ge_u (global.get $ticks) (i32.const 4))
      (then (call $log (i32.const 65530) (i32.const 7))))))
