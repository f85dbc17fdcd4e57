;; Imports what nobody offers. SPDX-License-Identifier: Apache-2.0
(module (import "sandmote" "reflash" (func)) (func (export "sensor_tick")))
