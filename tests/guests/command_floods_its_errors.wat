;; Replies after 100 writes of 64 KiB to standard error.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\10\00\00\00\21\00\00\00\00\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (data (i32.const 128) "\00\00\00\00\00\00\01\00")
  (func (export "_start")
    (local $left i32)
    (local.set $left (i32.const 100))
    (loop $again
      (drop (call $fd_write (i32.const 2) (i32.const 128) (i32.const 1) (i32.const 8)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
