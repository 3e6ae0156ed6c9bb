;; Passes flags to a second component with every bit set, and replies if only those arrive that there are.
(component
  (component $there
    (type $flags' (flags "f0"))
    (export $flags "flags" (type $flags'))
    (core module $core
      (func (export "arrive") (param $flags i32)
        (if (i32.ne (local.get $flags) (i32.const 0x1)) (then unreachable))))
    (core instance $core (instantiate $core))
    (func (export "arrive") (param "flags" $flags) (canon lift (core func $core "arrive"))))
  (component $here
    (import "there" (instance $there
      (type $flags' (flags "f0"))
      (export "flags" (type $flags (eq $flags')))
      (export "arrive" (func (param "flags" $flags)))))
    (core func $arrive (canon lower (func $there "arrive")))
    (core module $core
      (import "there" "arrive" (func $arrive (param i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
      (func (export "handle") (param i32 i32) (result i32)
        (call $arrive (i32.const -1))
        i32.const 0))
    (core instance $core (instantiate $core (with "there" (instance (export "arrive" (func $arrive))))))
    (func (export "handle") (param "event" string) (result (result string (error string)))
      (canon lift (core func $core "handle") (memory $core "memory") (realloc (func $core "cabi_realloc")))))
  (instance $there (instantiate $there))
  (instance $here (instantiate $here (with "there" (instance $there))))
  (export "handle" (func $here "handle")))
