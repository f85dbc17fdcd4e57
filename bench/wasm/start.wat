;; A start function that does not end. SPDX-License-Identifier: Apache-2.0
(module
  (func $start (local i32)
    (loop $forever
      (local.set 0 (i32.add (local.get 0) (i32.const 1)))
      (br $forever)))
  (start $start))
