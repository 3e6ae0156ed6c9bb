;; Hands 10 MB to the host in one call.
(module
  (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
  (import "host" "memory" (memory 1))
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (drop (memory.grow (i32.const 200)))
    (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 10000000))
    i32.const 0))
