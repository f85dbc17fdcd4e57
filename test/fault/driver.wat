;; A plugin's code, which behaves as the test wants, like subject.wat. SPDX-License-Identifier: Apache-2.0
(module
  (import "sandmote" "uptime_ms" (func $how (result i64)))
  (func (export "read_light") (result i32)
    (if (i64.eq (call $how) (i64.const 1)) (then unreachable))
    (i32.const 7)))
