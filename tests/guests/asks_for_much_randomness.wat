;; Asks for 60 KiB of random bytes at once, which is granted, and then for 100 KiB.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\10\00\00\00\21\00\00\00\00\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (call $random_get (i32.const 1024) (i32.const 60000)) (then (drop (i32.div_u (i32.const 1) (i32.const 0)))))
    (drop (call $random_get (i32.const 1024) (i32.const 100000)))))
