;; A code node that ends its run with a code, instead of returning a reply.
(component
  (import "wasi:cli/exit@0.2.12" (instance $exit
    (export "exit" (func (param "status" (result))))
    (export "exit-with-code" (func (param "status-code" u8)))))
  (core func $exit (canon lower (func $exit "exit")))
  (core func $exit_with_code (canon lower (func $exit "exit-with-code")))
  (core module $core
    (import "cli" "exit" (func $exit (param i32)))
    (import "cli" "exit-with-code" (func $exit_with_code (param i32)))
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "handle") (param i32 i32) (result i32)
      (call $exit_with_code (i32.const 7))
      unreachable))
  (core instance $core (instantiate $core (with "cli" (instance
    (export "exit" (func $exit)) (export "exit-with-code" (func $exit_with_code))))))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $core "handle") (memory $core "memory") (realloc (func $core "cabi_realloc")))))
