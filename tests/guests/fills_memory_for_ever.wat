;; Spends its time in one long instruction after another.
(module
  (memory (export "memory") 900)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (loop $again
      (memory.fill (i32.const 65536) (i32.const 7) (i32.const 58000000))
      (br $again))
    unreachable))
