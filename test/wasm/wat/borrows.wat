;; Works in the memory of another instance, for native_test.c.
(module
  (import "other" "memory" (memory 1))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))
