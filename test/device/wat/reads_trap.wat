;; Traps in its second tick.
;; SPDX-License-Identifier: Apache-2.0
(module
  (global $n (mut i32) (i32.const 0))
  (func (export "sensor_tick")
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (if (i32.gt_u (global.get $n) (i32.const 1)) (then unreachable))))
