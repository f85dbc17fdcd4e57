;; What the firmware wasmtest runs: calls, memory and data, 64-bit and floating-point numbers (the
;; target has them in software), a host function, a loop without end and a trap three calls deep.
;;
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "board" "twice" (func $twice (param i32) (result i32)))
  (memory 1)
  (data (i32.const 16) "\01\02\03\04\05\06\07\08")

  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else
        (i32.add
          (call $fib (i32.sub (local.get 0) (i32.const 1)))
          (call $fib (i32.sub (local.get 0) (i32.const 2)))))))

  ;; the sum of the first n bytes of data, as the host doubles it
  (func (export "sum") (param $n i32) (result i32)
    (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (local.set $sum
          (i32.add (local.get $sum) (i32.load8_u offset=16 (local.get $n))))
        (br $next)))
    (call $twice (local.get $sum)))

  ;; 1 + 2 + .. n as i64, over n, times 3/2 in f64, and back
  (func (export "mean") (param $n i32) (result i32)
    (local $wide i64)
    (local.set $wide (i64.extend_i32_u (local.get $n)))
    (i32.trunc_f64_s
      (f64.mul
        (f64.convert_i64_s
          (i64.div_s
            (i64.mul (local.get $wide) (i64.add (local.get $wide) (i64.const 1)))
            (i64.mul (local.get $wide) (i64.const 2))))
        (f64.const 1.5))))

  (func (export "spin") (local $rounds i32)
    (loop $forever
      (local.set $rounds (i32.add (local.get $rounds) (i32.const 1)))
      (br $forever)))

  ;; what the host answers, plus one
  (func (export "ask") (param i32) (result i32)
    (i32.add (call $twice (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))

  (func $innermost (param i32) (result i32)
    (if (i32.eqz (local.get 0))
      (then (unreachable)))
    (i32.load offset=1 (i32.sub (local.get 0) (i32.const 2))))
  (func $middle (param i32) (result i32)
    (i32.add (call $innermost (local.get 0)) (i32.const 1)))
  (func (export "trap") (param i32) (result i32)
    (i32.add (call $middle (local.get 0)) (i32.const 1))))
