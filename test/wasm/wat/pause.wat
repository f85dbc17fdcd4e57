;; Work of every kind that a deadline may fall into; each function gives a number that depends on
;; all of it.
(module
  (import "host" "add" (func $add (param i32 i32) (result i32)))
  (memory (export "memory") 1 4)
  (table $t 600 4000 funcref)
  (table $u 600 4000 funcref)
  (data $d "sandmote sandmote sandmote sandmote sandmote sandmote sandmote sandmote")
  (elem $e funcref (ref.func $fib) (ref.func $step) (ref.null func) (ref.func $sum))

  (func $hash (param $at i32) (param $n i32) (result i32) (local $h i32)
    (loop $l
      (local.set $h (i32.xor (i32.mul (local.get $h) (i32.const 31))
                             (i32.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $h))

  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1)))
                     (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func $sum (export "deep") (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (local.get $n) (call $sum (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 0))))
  (func $step (param $n i32) (result i32) (i32.mul (local.get $n) (i32.const 3)))

  (func (export "host_calls") (param $n i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (call $add (local.get $s) (call $add (local.get $n) (i32.const 1))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (call $add (call $add (local.get $s) (i32.const 1)) (i32.const 2)))

  (func (export "bulk") (param $n i32) (result i32)
    (memory.fill (local.get $n) (i32.const 7) (i32.const 9000))
    (memory.init $d (i32.const 3) (i32.const 1) (i32.const 60))
    (memory.fill (i32.const 100) (local.get $n) (i32.const 200))
    (memory.copy (i32.const 5000) (i32.const 2) (i32.const 20000))
    (memory.copy (i32.const 1) (i32.const 3000) (i32.const 15000))
    (call $hash (i32.const 0) (i32.const 30000)))

  (func (export "grow") (param $n i32) (result i32)
    (i32.add
      (i32.mul (i32.const 1000) (memory.grow (i32.const 2)))
      (i32.add
        (memory.grow (i32.const 5))
        (call $hash (i32.mul (memory.size) (i32.const 40000)) (local.get $n)))))

  (func $count (param $i i32) (result i32) (local $n i32) ;; entries of $t that are not null
    (loop $l
      (local.set $n (i32.add (i32.mul (local.get $n) (i32.const 3))
                             (ref.is_null (table.get $t (local.get $i)))))
      (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (local.get $n))
  (func (export "tables") (param $n i32) (result i32)
    (table.fill $u (i32.const 10) (ref.func $step) (i32.const 500))
    (table.init $u $e (i32.const 300) (i32.const 0) (i32.const 4))
    (table.copy $t $u (i32.const 50) (i32.const 0) (i32.const 550))
    (table.copy $t $t (i32.const 5) (i32.const 9) (i32.const 400))
    (drop (table.grow $t (ref.func $fib) (i32.const 1000)))
    (i32.add
      (i32.add
        (i32.mul (table.grow $t (ref.null func) (local.get $n)) (i32.const 5000))
        (table.grow $t (ref.null func) (i32.const 100000)))
      (i32.add
        (call $count (i32.const 1599))
        (i32.add
          (call_indirect $t (param i32) (result i32) (i32.const 12) (i32.const 299))
          (call_indirect $t (param i32) (result i32) (local.get $n) (i32.const 349))))))

  (func (export "tables_of_jumps") (param $n i32) (result i32) (local $s i32)
    (loop $l (block $b (block $c
      (local.set $s (i32.add (local.get $s) (local.get $n)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_table $c $l $l $b (local.get $n)))
      (return (local.get $s)))
      (br $l))
    (unreachable)))
