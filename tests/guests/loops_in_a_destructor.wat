;; Drops a resource of its own whose destructor never ends.
(component
  (core module $end (func (export "end") (param i32) (loop $again (br $again))))
  (core instance $end (instantiate $end))
  (type $thing (resource (rep i32) (dtor (func $end "end"))))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $core
    (import "own" "new" (func $new (param i32) (result i32)))
    (import "own" "drop" (func $drop (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "handle") (param i32 i32) (result i32)
      (call $drop (call $new (i32.const 7)))
      i32.const 0))
  (core instance $core (instantiate $core (with "own" (instance
    (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $core "handle") (memory $core "memory") (realloc (func $core "cabi_realloc")))))
