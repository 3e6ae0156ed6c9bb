;; Replies with the event, by way of a second component: UTF-8 in, UTF-16 here, latin1+utf16 there, and back.
(component
  (component $there
    (core module $core
      (memory (export "memory") 2)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
      (func (export "echo") (param $text i32) (param $length i32) (result i32)
        (i32.store (i32.const 0) (local.get $text))
        (i32.store (i32.const 4) (i32.xor (local.get $length) (i32.const 0x0)))
        i32.const 0))
    (core instance $core (instantiate $core))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=latin1+utf16
        (memory $core "memory") (realloc (func $core "cabi_realloc")))))
  (component $here
    (import "echo" (func $echo (param "text" string) (result string)))
    (core module $libc
      (memory (export "memory") 2)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
    (core instance $libc (instantiate $libc))
    (core func $echo (canon lower (func $echo) string-encoding=utf16
      (memory $libc "memory") (realloc (func $libc "cabi_realloc"))))
    (core module $core
      (import "libc" "memory" (memory 1))
      (import "there" "echo" (func $echo (param i32 i32 i32)))
      (func (export "handle") (param $event i32) (param $length i32) (result i32)
        (call $echo (local.get $event) (local.get $length) (i32.const 8))
        i32.const 4))
    (core instance $core (instantiate $core
      (with "libc" (instance $libc)) (with "there" (instance (export "echo" (func $echo))))))
    (func (export "handle") (param "event" string) (result (result string (error string)))
      (canon lift (core func $core "handle") string-encoding=utf16
        (memory $libc "memory") (realloc (func $libc "cabi_realloc")))))
  (instance $there (instantiate $there))
  (instance $here (instantiate $here (with "echo" (func $there "echo"))))
  (export "handle" (func $here "handle")))
