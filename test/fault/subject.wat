;; Behaves as the test wants: its uptime says how. SPDX-License-Identifier: Apache-2.0
(module
  (import "sandmote" "uptime_ms" (func $how (result i64)))
  (func (export "sensor_tick") (local i64)
    (local.set 0 (call $how))
    (if (i64.eq (local.get 0) (i64.const 1)) (then unreachable))
    (if (i64.eq (local.get 0) (i64.const 2)) (then (loop $again (br $again)))))
  (func (export "health") (result i32) (i64.eq (call $how) (i64.const 3))))
