;; Imports the log as another type. SPDX-License-Identifier: Apache-2.0
(module (import "sandmote" "log" (func (param i32))) (func (export "sensor_tick")))
