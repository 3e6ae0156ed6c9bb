;; Read as latin1+utf16, its reply is UTF-16 and 4 GiB long.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\ff\ff\ff\ff")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32) i32.const 0))
