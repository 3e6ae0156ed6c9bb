;; Waits for one timer that it names sixteen times in its list.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $pollable (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (core module $libc
    (memory (export "memory") 128)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0x400000))
  (core instance $libc (instantiate $libc))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $poll (canon lower (func $poll "poll") (memory $libc "memory") (realloc (func $libc "cabi_realloc"))))
  (core module $core
    (import "libc" "memory" (memory 128))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "poll" (func $poll (param i32 i32 i32)))
    (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
    (func (export "handle") (param i32 i32) (result i32)
      (local $timer i32) (local $at i32)
      (local.set $timer (call $subscribe (i64.const 0)))
      (local.set $at (i32.const 64))
      (loop $again
        (i32.store (local.get $at) (local.get $timer))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br_if $again (i32.lt_u (local.get $at) (i32.const 0x400000))))
      (call $poll (i32.const 64) (i32.const 16) (i32.const 56))
      i32.const 0))
  (core instance $core (instantiate $core
    (with "libc" (instance $libc))
    (with "host" (instance (export "subscribe" (func $subscribe)) (export "poll" (func $poll))))))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $core "handle") (memory $libc "memory") (realloc (func $libc "cabi_realloc")))))
