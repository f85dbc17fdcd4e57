;; Stores a word at 4096 in the fourth tick: within its page. SPDX-License-Identifier: Apache-2.0
(module
  (memory 1)
  (global $ticks (mut i32) (i32.const 0))
  (func $last (export "sensor_tick")
    (global.set $ticks (i32.add (global.get $ticks) (i32.const 1)))
    (i32.store (i32.const 4092) (i32.const 7))
    (if (i32.ge_u (global.get $ticks) (i32.const 4))
      (then (i32.store (i32.const 4096) (i32.const 7))))))
