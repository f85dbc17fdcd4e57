;; Logs, calls itself twelve deep and reads beyond its memory, in its second tick.
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "sandmote" "log" (func $log (param i32 i32)))
  (memory 1)
  (global $ticks (mut i32) (i32.const 0))
  (data (i32.const 0) "before it")
  (func $descend (param $depth i32) (param $wide i64) (result i32) (local $read f64)
    (if (i32.eqz (local.get $depth))
      (then (return (i32.load offset=65536 (i32.const 77)))))
    (local.set $read (f64.const 0.5))
    (call $descend (i32.sub (local.get $depth) (i32.const 1)) (local.get $wide)))
  (func (export "sensor_tick")
    (call $log (i32.const 0) (i32.const 9))
    (global.set $ticks (i32.add (global.get $ticks) (i32.const 1)))
    (if (i32.eq (global.get $ticks) (i32.const 2))
      (then (drop (call $descend (i32.const 10) (i64.const 0x123456789a)))))))
