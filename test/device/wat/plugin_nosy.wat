;; A plugin that wants to read another sensor.
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "wasi_sn" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory 1)
  (func (export "read_temperature") (result i32)
    (call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
