;; A function that is neither exported nor referred to, for native_test.c: index 0.
(module
  (memory 1)
  (func $inner (param i32 i32) (result i32)
    (i32.div_u (local.get 0) (local.get 1)))
  (func (export "outer") (param i32 i32) (result i32)
    (call $inner (local.get 0) (local.get 1))))
