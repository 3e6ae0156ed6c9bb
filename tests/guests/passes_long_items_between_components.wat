;; Passes a list of a thousand texts to a second component, all of them the same 8 MiB.
(component
  (component $there
    (type $item' string)
    (export $item "item" (type $item'))
    (core module $core
      (memory (export "memory") 480)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
      (func (export "take") (param i32 i32)))
    (core instance $core (instantiate $core))
    (func (export "take") (param "items" (list $item))
      (canon lift (core func $core "take") string-encoding=utf16
        (memory $core "memory") (realloc (func $core "cabi_realloc")))))
  (component $here
    (import "there" (instance $there
      (type $item' string)
      (export "item" (type $item (eq $item')))
      (export "take" (func (param "items" (list $item))))))
    (core module $libc (memory (export "memory") 480))
    (core instance $libc (instantiate $libc))
    (core func $take (canon lower (func $there "take") (memory $libc "memory")))
    (core module $core
      (import "libc" "memory" (memory 480))
      (import "there" "take" (func $take (param i32 i32)))
      (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
      (func (export "handle") (param i32 i32) (result i32)
        (local $at i32)
        (local.set $at (i32.const 64))
        (loop $again
          (i32.store (local.get $at) (i32.const 0x100000))
          (i32.store offset=4 (local.get $at) (i32.const 0x800000))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $again (i32.lt_u (local.get $at) (i32.const 8064))))
        (call $take (i32.const 64) (i32.const 1000))
        i32.const 0))
    (core instance $core (instantiate $core
      (with "libc" (instance $libc)) (with "there" (instance (export "take" (func $take))))))
    (func (export "handle") (param "event" string) (result (result string (error string)))
      (canon lift (core func $core "handle") (memory $libc "memory") (realloc (func $core "cabi_realloc")))))
  (instance $there (instantiate $there))
  (instance $here (instantiate $here (with "there" (instance $there))))
  (export "handle" (func $here "handle")))
