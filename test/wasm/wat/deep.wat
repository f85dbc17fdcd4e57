;; What corner.wat imports: a function of its own, and one that it imports itself.
(module
  (import "host" "later" (func $later (param i32) (result i32)))
  (export "later" (func $later))
  (func $deep (export "deep") (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (local.get $n) (call $deep (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 0)))))
