;; Takes all the memory it can get; unhealthy if it ever got more than two pages.
;; SPDX-License-Identifier: Apache-2.0
(module
  (memory 1)
  (func (export "sensor_tick")
    (loop $more
      (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (func (export "health") (result i32)
    (i32.ne (memory.size) (i32.const 2))))
