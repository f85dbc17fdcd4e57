;; Has much to say before it traps, in its first tick. SPDX-License-Identifier: Apache-2.0
(module
  (import "sandmote" "log" (func $log (param i32 i32)))
  (memory 1)
  (data (i32.const 0) "the heater does not answer, the window is open, it is late, and nobody has been here for days; ")
  (data (i32.const 96) "whoever reads this may want to know that the second valve was the one that did not close")
  (func (export "sensor_tick")
    (call $log (i32.const 0) (i32.const 96))
    (call $log (i32.const 96) (i32.const 88))
    (call $log (i32.const 0) (i32.const 150))
    (unreachable)))
