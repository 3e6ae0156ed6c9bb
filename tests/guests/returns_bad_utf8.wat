;; Its reply is no UTF-8.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\02\00\00\00\00\00\00\00\c3\28")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32) i32.const 0))
