;; Calls into another instance, whose function traps.
(module
  (import "other" "divide" (func $divide (param i32 i32) (result i32)))
  (func (export "through") (param i32 i32) (result i32)
    (call $divide (local.get 0) (local.get 1))))
