;; Never returns from its tick. SPDX-License-Identifier: Apache-2.0
(module
  (func (export "sensor_tick") (loop $again (br $again))))
