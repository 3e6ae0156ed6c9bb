;; Writes half a reply and sleeps for ten minutes.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\10\00\00\00\10\00\00\00\00\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  ;; A subscription at 128: the monotonic clock, 600 s.
  (data (i32.const 144) "\01\00\00\00\00\00\00\00\00\70\c9\b2\8b\00\00\00")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $poll_oneoff (i32.const 128) (i32.const 256) (i32.const 1) (i32.const 8)))))
