;; Calls the cheapest host function, again and again.
(module
  (import "host" "now" (func $now (result i64)))
  (import "host" "memory" (memory 1))
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (loop $again (drop (call $now)) (br $again))
    unreachable))
