;; Never finishes to start: the loop is in its start function.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func $start (loop $again (br $again)))
  (start $start)
  (func (export "handle") (param i32 i32) (result i32) i32.const 0))
