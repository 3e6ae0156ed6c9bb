;; Hits the bound that it set itself: nobody refused it anything.
(module
  (memory (export "memory") 1 2)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (if (i32.eq (memory.grow (i32.const 2)) (i32.const -1)) (then unreachable))
    i32.const 0))
