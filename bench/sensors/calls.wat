;; What bench/sensors/calls.c calls: for each sensor call a loop with one, and a loop with two; and the
;; same for functions of its own without and with arguments, of which the difference is these.
;;
;; SPDX-License-Identifier: Apache-2.0
(module
  (import "wasi_sn" "open" (func $open (param i32 i32) (result i32)))
  (import "wasi_sn" "get" (func $get (param i32 i32 i32) (result i32)))
  (import "wasi_sn" "sample" (func $sample (param i32 i32) (result i32)))
  (import "wasi_sn" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_sn" "config" (func $config (param i32 i32 i32) (result i32)))
  (import "wasi_sn" "lastError" (func $lastError (result i32)))
  (memory 1)
  (data (i32.const 0) "BME280\00temperature\00*\00SampRate\00")
  (global $one (mut i32) (i32.const 0))
  (global $all (mut i32) (i32.const 0))

  (func (export "open") (param $ns i32) (result i32)
    (global.set $one (call $open (i32.const 0) (i32.const 7)))
    (global.set $all (call $open (i32.const 0) (i32.const 19)))
    (call $config (i32.const 0) (i32.const 21) (local.get $ns)))

  (func (export "lastError 1") (param $n i32) (result i32)
    (loop $next
      (drop (call $lastError))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 1))
  (func (export "lastError 2") (param $n i32) (result i32)
    (loop $next
      (drop (call $lastError)) (drop (call $lastError))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 1))

  (func $none)
  (func $three (param i32 i32 i32))
  (func (export "none 1") (param $n i32) (result i32)
    (loop $next
      (call $none)
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 1))
  (func (export "none 2") (param $n i32) (result i32)
    (loop $next
      (call $none) (call $none)
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 1))
  (func (export "three 1") (param $n i32) (result i32) (local $h i32)
    (loop $next
      (call $three (local.get $h) (i32.const 64) (i32.const 4))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 1))
  (func (export "three 2") (param $n i32) (result i32) (local $h i32)
    (loop $next
      (call $three (local.get $h) (i32.const 64) (i32.const 4))
      (call $three (local.get $h) (i32.const 64) (i32.const 4))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 1))

  (func (export "get 1") (param $n i32) (result i32) (local $h i32)
    (local.set $h (global.get $one))
    (loop $next
      (drop (call $get (local.get $h) (i32.const 64) (i32.const 4)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.eq (i32.load (i32.const 64)) (i32.const 21500)))
  (func (export "get 2") (param $n i32) (result i32) (local $h i32)
    (local.set $h (global.get $one))
    (loop $next
      (drop (call $get (local.get $h) (i32.const 64) (i32.const 4)))
      (drop (call $get (local.get $h) (i32.const 64) (i32.const 4)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.eq (i32.load (i32.const 64)) (i32.const 21500)))

  (func (export "get * 1") (param $n i32) (result i32) (local $h i32)
    (local.set $h (global.get $all))
    (loop $next
      (drop (call $get (local.get $h) (i32.const 64) (i32.const 12)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.eq (i32.load (i32.const 64)) (i32.const 21500)))
  (func (export "get * 2") (param $n i32) (result i32) (local $h i32)
    (local.set $h (global.get $all))
    (loop $next
      (drop (call $get (local.get $h) (i32.const 64) (i32.const 12)))
      (drop (call $get (local.get $h) (i32.const 64) (i32.const 12)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.eq (i32.load (i32.const 64)) (i32.const 21500)))

  (func (export "sample 1") (param $n i32) (result i32) (local $h i32)
    (local.set $h (global.get $one))
    (loop $next
      (drop (call $sample (local.get $h) (i32.const 64)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.eq (i32.load (i32.const 64)) (i32.const 21500)))
  (func (export "sample 2") (param $n i32) (result i32) (local $h i32)
    (local.set $h (global.get $one))
    (loop $next
      (drop (call $sample (local.get $h) (i32.const 64)))
      (drop (call $sample (local.get $h) (i32.const 64)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.eq (i32.load (i32.const 64)) (i32.const 21500)))

  (func (export "read 1") (param $n i32) (result i32)
    (loop $next
      (drop (call $read (i32.const 0) (i32.const 7) (i32.const 64) (i32.const 4)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.eq (i32.load (i32.const 64)) (i32.const 21500)))
  (func (export "read 2") (param $n i32) (result i32)
    (loop $next
      (drop (call $read (i32.const 0) (i32.const 7) (i32.const 64) (i32.const 4)))
      (drop (call $read (i32.const 0) (i32.const 7) (i32.const 64) (i32.const 4)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.eq (i32.load (i32.const 64)) (i32.const 21500))))
