;; Logs for ever, and so never returns. SPDX-License-Identifier: Apache-2.0
(module
  (import "sandmote" "log" (func $log (param i32 i32)))
  (memory 1)
  (data (i32.const 0) "bla\nbla")
  (func (export "sensor_tick")
    (loop $again (call $log (i32.const 0) (i32.const 7)) (br $again))))
