;; Eight memories of 16 MiB, each of them small enough.
(component
  (core module $memory (memory (export "memory") 256))
  (core instance $one (instantiate $memory))
  (core instance $two (instantiate $memory))
  (core instance $three (instantiate $memory))
  (core instance $four (instantiate $memory))
  (core instance $five (instantiate $memory))
  (core instance $six (instantiate $memory))
  (core instance $seven (instantiate $memory))
  (core module $core
    (memory (export "memory") 256)
    (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "handle") (param i32 i32) (result i32) i32.const 0))
  (core instance $guest (instantiate $core))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $guest "handle") (memory $guest "memory") (realloc (func $guest "cabi_realloc")))))
