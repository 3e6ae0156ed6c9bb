;; Makes timers and never drops one.
(module
  (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
  (import "host" "memory" (memory 1))
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (local $left i32)
    (local.set $left (i32.const 10000000))
    (loop $again
      (drop (call $subscribe (i64.const 600000000000)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    i32.const 0))
