;; Traps in its start function, before the first tick.
;;
;; In the text format because no compiler makes start functions that trap.
;;
;; SPDX-License-Identifier: Apache-2.0
(module
  (memory (export "memory") 1)
  (func $setup
    unreachable)
  (start $setup)
  (func (export "sensor_tick"))
  (func (export "health") (result i32)
    i32.const 0))
