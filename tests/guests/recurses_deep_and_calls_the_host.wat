;; Replies from 8,000 calls deep: the host has its own room on the stack.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\10\00\00\00\21\00\00\00\00\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func $deeper (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $deeper (i32.sub (local.get 0) (i32.const 1)))))
      (else (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
  (func (export "_start") (drop (call $deeper (i32.const 8000)))))
