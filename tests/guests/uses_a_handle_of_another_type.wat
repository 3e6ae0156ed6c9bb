;; Waits for a resource of its own as if it were a timer.
(module
  (import "host" "block" (func $block (param i32)))
  (import "host" "new" (func $new (param i32) (result i32)))
  (import "host" "memory" (memory 1))
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (call $block (call $new (i32.const 7)))
    i32.const 0))
