;; Reads the device id of an ADXL345 over SPI, in hundreds; it imports no call of another bus.
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "env" "spi_transfer" (func $spi (param i32 i32 i32) (result i32)))
  (memory 1)
  (data (i32.const 0) "\80\00")
  (func (export "read_temperature") (result i32)
    (drop (call $spi (i32.const 0) (i32.const 8) (i32.const 2)))
    (i32.mul (i32.load8_u (i32.const 9)) (i32.const 100))))
