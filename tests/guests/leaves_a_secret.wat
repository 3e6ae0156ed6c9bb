;; Fills everything that it has with a secret: 4 MiB of memory, its global, its table.
(module
  (memory (export "memory") 64)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (table $table 1000 funcref)
  (global $global (mut i64) (i64.const 0))
  (elem declare func $secret)
  (func $secret)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (memory.fill (i32.const 4096) (i32.const 0x5e) (i32.const 4190208))
    (table.fill $table (i32.const 0) (ref.func $secret) (i32.const 1000))
    (global.set $global (i64.const 0x5ec2e75ec2e75ec2))
    i32.const 0))
