;; Measures well ten times and then divides by zero.
;; SPDX-License-Identifier: Apache-2.0
(module
  (global $left (mut i32) (i32.const 10))
  (func (export "read_temperature") (result i32)
    (global.set $left (i32.sub (global.get $left) (i32.const 1)))
    (i32.div_u (i32.const 10000) (global.get $left))))
