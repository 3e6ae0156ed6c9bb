;; Returns an error of its own that is 1 MB long.
(module
  (memory (export "memory") 17)
  (data (i32.const 0) "\01\00\00\00\10\00\00\00\40\42\0f\00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (memory.fill (i32.const 16) (i32.const 120) (i32.const 1000000))
    i32.const 0))
