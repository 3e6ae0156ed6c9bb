;; Waits for a timer that is gone.
(module
  (import "host" "block" (func $block (param i32)))
  (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
  (import "host" "drop" (func $drop (param i32)))
  (import "host" "memory" (memory 1))
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (local $timer i32)
    (local.set $timer (call $subscribe (i64.const 0)))
    (call $drop (local.get $timer))
    (call $block (local.get $timer))
    i32.const 0))
