;; Its reply lies past the end of its memory.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\00\ff\00\00\00\ff\00\00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32) i32.const 0))
