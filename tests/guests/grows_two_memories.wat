;; Grows two memories by 40 MiB each, and gives up when the second is refused.
(component
  (core module $other
    (memory 1)
    (func (export "grow") (result i32) (memory.grow (i32.const 640))))
  (core instance $other (instantiate $other))
  (core module $core
    (import "other" "grow" (func $grow_other (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "handle") (param i32 i32) (result i32)
      (drop (i32.div_u (i32.const 1) (i32.ne (memory.grow (i32.const 640)) (i32.const -1))))
      (if (i32.eq (call $grow_other) (i32.const -1)) (then unreachable))
      i32.const 0))
  (core instance $guest (instantiate $core (with "other" (instance $other))))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $guest "handle") (memory $guest "memory") (realloc (func $guest "cabi_realloc")))))
