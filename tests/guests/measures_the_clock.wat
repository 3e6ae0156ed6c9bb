;; Traps on division if the clock moves by less than a millisecond; answers when it has moved five times.
(module
  (import "host" "now" (func $now (result i64)))
  (import "host" "memory" (memory 1))
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "handle") (param i32 i32) (result i32)
    (local $before i64) (local $after i64) (local $left i32)
    (local.set $left (i32.const 5))
    (local.set $before (call $now))
    (loop $again
      (local.set $after (call $now))
      (br_if $again (i64.eq (local.get $before) (local.get $after)))
      (drop (i32.div_u (i32.const 1) (i64.ge_u (i64.sub (local.get $after) (local.get $before)) (i64.const 1000000))))
      (drop (i32.div_u (i32.const 1) (i64.eqz (i64.rem_u (local.get $after) (i64.const 1000000)))))
      (local.set $before (local.get $after))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    i32.const 0))
