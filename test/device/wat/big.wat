;; Declares three pages. SPDX-License-Identifier: Apache-2.0
(module (memory 3) (func (export "sensor_tick")))
