;; Functions that `sandmote run` is tested with: one for each way a call can end.
;; SPDX-License-Identifier: Apache-2.0
(module
  (memory 1)
  (global $started (mut i32) (i32.const 0))
  (func $setup (global.set $started (i32.const 1)))
  (start $setup)
  (func (export "main") (result i32) global.get $started)
  (func (export "swap") (param i32 i64) (result i64 i32) local.get 1 local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "refs") (param externref) (result externref funcref) local.get 0 ref.null func)
  (func (export "spin") (loop br 0))
  (func $deep (export "deep") call $deep)
  (func $inner (param i32) (result i32) i32.const 1 local.get 0 i32.div_s)
  (func (export "divide") (param i32) (result i32) local.get 0 call $inner)
  (func (export "grow") (param i32) (result i32) local.get 0 memory.grow)
  (func (export "store") (param i32) local.get 0 i32.const 1 i32.store8))
