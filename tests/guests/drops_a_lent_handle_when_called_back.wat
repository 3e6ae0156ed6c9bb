;; Lends a resource to a component inside itself, is called back from there, and drops what it has lent.
(component
  (component $owner
    (type $thing (resource (rep i32)))
    (core func $new (canon resource.new $thing))
    (core module $core
      (import "own" "new" (func $new (param i32) (result i32)))
      (func (export "make") (result i32) (call $new (i32.const 42))))
    (core instance $core (instantiate $core (with "own" (instance (export "new" (func $new))))))
    (export $thing_ "thing" (type $thing))
    (func (export "make") (result (own $thing_)) (canon lift (core func $core "make"))))
  (component $borrower
    (import "thing" (type $thing (sub resource)))
    (import "back" (func $back))
    (core func $back (canon lower (func $back)))
    (core func $drop (canon resource.drop $thing))
    (core module $core
      (import "own" "back" (func $back))
      (import "own" "drop" (func $drop (param i32)))
      (func (export "take") (param $lent i32)
        (call $back)
        (call $drop (local.get $lent))))
    (core instance $core (instantiate $core (with "own" (instance
      (export "back" (func $back)) (export "drop" (func $drop))))))
    (func (export "take") (param "lent" (borrow $thing)) (canon lift (core func $core "take"))))
  (instance $owner (instantiate $owner))
  (alias export $owner "thing" (type $thing))
  (core func $make (canon lower (func $owner "make")))
  (core func $drop (canon resource.drop $thing))
  (core module $callee
    (import "own" "drop" (func $drop (param i32)))
    (global $thing (export "thing") (mut i32) (i32.const 0))
    (func (export "back") (call $drop (global.get $thing))))
  (core instance $callee (instantiate $callee (with "own" (instance (export "drop" (func $drop))))))
  (func $back (canon lift (core func $callee "back")))
  (instance $borrower (instantiate $borrower (with "thing" (type $thing)) (with "back" (func $back))))
  (core func $take (canon lower (func $borrower "take")))
  (core module $core
    (import "own" "make" (func $make (result i32)))
    (import "own" "take" (func $take (param i32)))
    (import "callee" "thing" (global $thing (mut i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "handle") (param i32 i32) (result i32)
      (global.set $thing (call $make))
      (call $take (global.get $thing))
      i32.const 0))
  (core instance $core (instantiate $core
    (with "own" (instance (export "make" (func $make)) (export "take" (func $take))))
    (with "callee" (instance $callee))))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $core "handle") (memory $core "memory") (realloc (func $core "cabi_realloc")))))
