;; Hands the host an enum case that does not exist.
(module
  (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
  (import "host" "memory" (memory 1))
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (call $log (i32.const 99) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 8))
    i32.const 0))
