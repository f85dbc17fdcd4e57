;; What bench/costs.c calls. The first two are a loop with a host call and the same loop with two;
;; what follows runs until it is stopped, each in one kind of operation for most of the time.
;;
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "bench" "twice" (func $twice (param i32) (result i32)))
  (memory 2 4)
  (table $t 8192 16384 funcref)
  (type $unary (func (param i32) (result i32)))

  (func (export "with a host call") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $twice (local.get $n))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "with two host calls") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $twice (call $twice (local.get $n)))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  (func (export "empty loop") (type $unary)
    (loop $forever (br $forever)) (unreachable))
  (func (export "counting loop") (type $unary)
    (loop $forever
      (local.set 0 (i32.add (local.get 0) (i32.const 1)))
      (br $forever))
    (unreachable))
  (func (export "br_table loop") (type $unary)
    (loop $forever
      (block $out (br_table $forever $forever $forever (local.get 0))))
    (unreachable))
  (func (export "host-call loop") (type $unary)
    (loop $forever
      (drop (call $twice (i32.const 7)))
      (br $forever))
    (unreachable))

  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else
        (i32.add
          (call $fib (i32.sub (local.get 0) (i32.const 1)))
          (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "recursion") (type $unary)
    (call $fib (i32.const 40)))

  (func (export "memory.fill") (type $unary)
    (loop $forever
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 131072))
      (br $forever))
    (unreachable))
  (func (export "memory.copy up") (type $unary)
    (loop $forever
      (memory.copy (i32.const 1) (i32.const 0) (i32.const 131071))
      (br $forever))
    (unreachable))
  (func (export "memory.copy down") (type $unary)
    (loop $forever
      (memory.copy (i32.const 0) (i32.const 3) (i32.const 131069))
      (br $forever))
    (unreachable))
  (func (export "memory.grow") (type $unary)
    (drop (memory.grow (i32.const 2)))
    (loop $forever (br $forever)) (unreachable))
  (func (export "table.fill") (type $unary)
    (loop $forever
      (table.fill $t (i32.const 0) (ref.null func) (i32.const 8192))
      (br $forever))
    (unreachable))
  (func (export "table.copy") (type $unary)
    (loop $forever
      (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 8191))
      (br $forever))
    (unreachable))
  (func (export "table.grow") (type $unary)
    (drop (table.grow $t (ref.null func) (i32.const 8192)))
    (loop $forever (br $forever)) (unreachable)))
