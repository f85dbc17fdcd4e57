;; Never leaves its start function.
;;
;; In the text format because no compiler makes start functions that spin.
;;
;; SPDX-License-Identifier: Apache-2.0
(module
  (memory (export "memory") 1)
  (func $setup
    (loop $again
      br $again))
  (start $setup)
  (func (export "sensor_tick"))
  (func (export "health") (result i32)
    i32.const 0))
