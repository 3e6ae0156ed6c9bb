;; Is refused memory, makes do with less, and traps much later for a reason of its own.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (drop (memory.grow (i32.const 2000)))
    (drop (memory.grow (i32.const 1)))
    unreachable))
