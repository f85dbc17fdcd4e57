;; Its entry wants a value. SPDX-License-Identifier: Apache-2.0
(module (func (export "sensor_tick") (param i32)))
