;; Takes table elements until there are no more, and says so if it got 65,536.
(module
  (table $table 1 funcref)
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (loop $more (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 1)) (i32.const -1))))
    (drop (i32.div_u (i32.const 1) (i32.eq (table.size $table) (i32.const 65536))))
    i32.const 0))
