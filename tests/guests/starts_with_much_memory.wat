;; Asks for 125 MiB before it runs.
(module
  (memory (export "memory") 2000)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    i32.const 0))
