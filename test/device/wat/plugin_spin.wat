;; Measures well four times and then never comes back.
;; SPDX-License-Identifier: Apache-2.0
(module
  (global $left (mut i32) (i32.const 4))
  (func (export "read_temperature") (result i32)
    (if (i32.eqz (global.get $left)) (then (loop $again (br $again))))
    (global.set $left (i32.sub (global.get $left) (i32.const 1)))
    (i32.const 21500)))
