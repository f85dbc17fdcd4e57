;; What a module of WASI may be, by its entry. Each begins with the memory of a new instance or
;; says so. SPDX-License-Identifier: Apache-2.0
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "new\n")
  (data (i32.const 32) "old\n")
  (data (i32.const 48) "\10\00\00\00\04\00\00\00") ;; the buffer "new"
  (data (i32.const 56) "\20\00\00\00\04\00\00\00") ;; the buffer "old"
  (global $used (mut i32) (i32.const 0))
  (func $say
    (drop (call $write (i32.const 1)
      (select (i32.const 56) (i32.const 48) (global.get $used)) (i32.const 1) (i32.const 64)))
    (global.set $used (i32.const 1)))
  (func $sleep (param $ns i64)
    (i32.store (i32.const 272) (i32.const 1)) ;; the monotonic clock
    (i64.store (i32.const 280) (local.get $ns))
    (if (call $poll (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 64))
      (then (unreachable))))
  (global $ready (mut i32) (i32.const 0))
  (func (export "_initialize")
    (if (global.get $ready) (then (unreachable)))
    (global.set $ready (i32.const 1)))
  (func (export "reactor")
    (if (i32.eqz (global.get $ready)) (then (unreachable)))
    (call $say))
  (func (export "_start")
    (if (global.get $ready) (then (unreachable)))
    (call $say))
  (func (export "exit0") (call $say) (call $exit (i32.const 0)) unreachable)
  (func (export "exit3") (call $say) (call $exit (i32.const 3)))
  (func (export "sleep") (call $sleep (i64.const 30000000)) (call $say))
  (func (export "forever") (call $sleep (i64.const -1)) (call $say)))
