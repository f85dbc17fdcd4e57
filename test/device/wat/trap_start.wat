;; Traps in its start function. SPDX-License-Identifier: Apache-2.0
(module
  (func $setup unreachable)
  (start $setup)
  (func (export "sensor_tick")))
