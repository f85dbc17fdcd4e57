;; Logs a thousand lines a tick. SPDX-License-Identifier: Apache-2.0
(module
  (import "sandmote" "log" (func $log (param i32 i32)))
  (memory 1)
  (data (i32.const 0) "bla\nbla")
  (func (export "sensor_tick") (local $i i32)
    (loop $more
      (call $log (i32.const 0) (i32.const 7))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 1000))))))
