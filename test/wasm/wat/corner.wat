;; What other modules of the tests leave out.
(module
  (import "host" "later" (func $later (param i32) (result i32)))
  (import "other" "deep" (func $deep (param i32) (result i32)))
  (import "other" "table" (table $t 4 funcref))
  (type $i (func (param i32) (result i32)))
  (type $ii (func (param i32 i32) (result i32)))
  (export "later" (func $later))
  (export "deep" (func $deep))
  (memory (export "memory") 1)

  (func (export "ask") (param i32) (result i32) (call $later (local.get 0)))
  (func (export "through") (param i32) (result i32) (call $deep (local.get 0)))
  (func (export "through_table") (param i32) (result i32)
    (call_indirect $t (type $i) (local.get 0) (i32.const 0)))
  (func (export "of_another_type") (param i32) (result i32)
    (call_indirect $t (type $ii) (local.get 0) (local.get 0) (i32.const 0)))
  (func (export "entry") (param i32) (result i32)
    (call_indirect $t (type $i) (local.get 0) (i32.const 1)))

  ;; Additions that wait in their operands, through other operators.
  (func (export "sums") (param $x i32) (result i32)
    (i32.xor
      (i32.xor
        (i32.shl (i32.add (local.get $x) (i32.const 3)) (i32.const 2))
        (i32.mul (i32.add (local.get $x) (i32.const 5)) (i32.const 7)))
      (i32.xor
        (i32.mul (i32.add (local.get $x) (i32.const 30000)) (i32.const 9))
        (i32.sub (i32.add (local.get $x) (i32.const -9)) (i32.add (local.get $x) (i32.const 4))))))

  ;; Loops whose end is told in every way, each n rounds.
  (func (export "rounds") (param $n i32) (result i32) (local $i i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (local.get $i)))
      (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.set $i (i32.const 0))
    (loop $l
      (local.set $s (i32.add (local.get $s) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.ne (local.get $n) (local.get $i))))
    (local.set $i (i32.const 0))
    (loop $l
      (local.set $s (i32.add (local.get $s) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_s (local.get $i) (local.get $n))))
    (local.set $i (i32.const 0))
    (loop $l
      (local.set $s (i32.add (local.get $s) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.gt_u (local.get $n) (local.get $i))))
    (loop $l
      (local.set $s (i32.add (local.get $s) (i32.const 1)))
      (local.set $i (i32.add (local.get $i) (i32.const -1)))
      (br_if $l (i32.ge_s (local.get $i) (i32.const 1))))
    (local.get $s)))
