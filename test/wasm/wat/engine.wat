;; What the engine's own tests call: traps at known places, loops, pending calls, memory.
(module
  (import "host" "later" (func $later (param i32) (result i64)))
  (import "host" "fail" (func $fail))
  (memory (export "memory") 1)
  (table 4 funcref)
  (elem (i32.const 0) $recurse $spin)
  (global $counter (mut i32) (i32.const 0))
  (data (i32.const 8) "sandmote")

  (func $divide (param $a i32) (param $b i32) (result i32)
    (i32.div_s (local.get $a) (local.get $b)))
  (func $outer (export "divide_in_three_levels") (param i32 i32) (result i32)
    (local i64 f64)
    (i32.add (i32.const 1) (call $divide (local.get 0) (local.get 1))))
  (func (export "divide") (param i32 i32) (result i32)
    (call $outer (local.get 0) (local.get 1)))

  (func $spin (export "spin") (loop (br 0)))
  (func (export "count_for_ever")
    (loop $l
      (global.set $counter (i32.add (global.get $counter) (i32.const 1)))
      (br_if $l (i32.const 1))))
  (func (export "spin_by_table") (local i32)
    (loop $l (block $out (br_table $l $out $l (local.get 0)))))
  (func (export "rounds_by_table") (param i32) (result i32) (local i32)
    (loop $l
      (block $out
        (local.set 1 (i32.add (local.get 1) (i32.const 1)))
        (br_table $out $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (local.get 1))
  (func $recurse (export "recurse") (call $recurse))
  (func $deep (export "depth") (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0))
      (then (i32.const 0))
      (else (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))))
  (func (export "recurse_indirectly") (call_indirect (i32.const 0)))
  (func (export "fill_for_ever")
    (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0)))

  (func (export "wait_for") (param i32) (result i64)
    (i64.add (i64.const 1) (call $later (local.get 0))))
  (func (export "fails") (call $fail))
  (export "later_again" (func $later))

  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "load_far") (param i32) (result i32) (i32.load offset=65536 (local.get 0)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "sum") (param $n i32) (result i64) (local $s i64)
    (loop $l
      (local.set $s (i64.add (local.get $s) (i64.extend_i32_u (local.get $n))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s)))
