;; Logs 200 lines of 1 KiB.
(module
  (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
  (import "host" "memory" (memory 1))
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (local $left i32)
    (memory.fill (i32.const 2048) (i32.const 120) (i32.const 1024))
    (local.set $left (i32.const 200))
    (loop $again
      (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 2048) (i32.const 1024))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    i32.const 0))
