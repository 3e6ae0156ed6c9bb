;; Sets every bit of the flags of a file that it opens in a directory that it was not given.
(component
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (export "descriptor" (type $descriptor (sub resource)))
    (type $path' (flags "symlink-follow"))
    (export "path-flags" (type $path (eq $path')))
    (type $open' (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $open (eq $open')))
    (type $use' (flags "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync"
      "mutate-directory"))
    (export "descriptor-flags" (type $use (eq $use')))
    (type $code' (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
      "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop"
      "too-many-links" "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory"
      "insufficient-space" "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device"
      "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $code (eq $code')))
    (export "[method]descriptor.open-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $path) (param "path" string)
      (param "open-flags" $open) (param "flags" $use) (result (result (own $descriptor) (error $code)))))))
  (core module $libc (memory (export "memory") 1))
  (core instance $libc (instantiate $libc))
  (core func $open (canon lower (func $files "[method]descriptor.open-at") (memory $libc "memory")))
  (core module $core
    (import "libc" "memory" (memory 1))
    (import "files" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "handle") (param i32 i32) (result i32)
      (call $open (i32.const 1) (i32.const -1) (i32.const 16) (i32.const 1) (i32.const -1) (i32.const -1)
        (i32.const 64))
      i32.const 0))
  (core instance $core (instantiate $core
    (with "libc" (instance $libc)) (with "files" (instance (export "open" (func $open))))))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $core "handle") (memory $libc "memory") (realloc (func $core "cabi_realloc")))))
