;; Tells in hexadecimal what it hears from outside: two random numbers, an insecure one, the insecure seed, the time of day, the time that passes, three
;; times, and the resolution of both. The same goes to its log.
(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))
    (export "get-random-u64" (func (result u64)))))
  (import "wasi:random/insecure@0.2.0" (instance $insecure
    (export "get-insecure-random-u64" (func (result u64)))))
  (import "wasi:random/insecure-seed@0.2.0" (instance $seed
    (export "insecure-seed" (func (result (tuple u64 u64))))))
  (import "wasi:clocks/wall-clock@0.2.0" (instance $day
    (type $datetime' (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $datetime')))
    (export "now" (func (result $datetime)))
    (export "resolution" (func (result $datetime)))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "now" (func (result u64)))
    (export "resolution" (func (result u64)))))
  (import "wasi:logging/logging@0.1.0-draft" (instance $logging
    (type $names (enum "trace" "debug" "info" "warn" "error" "critical"))
    (export "level" (type $level (eq $names)))
    (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
  (core module $libc
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 8192))
  (core instance $libc (instantiate $libc))
  (core func $bytes (canon lower (func $random "get-random-bytes")
    (memory $libc "memory") (realloc (func $libc "cabi_realloc"))))
  (core func $number (canon lower (func $random "get-random-u64")))
  (core func $insecure (canon lower (func $insecure "get-insecure-random-u64")))
  (core func $seed (canon lower (func $seed "insecure-seed") (memory $libc "memory")))
  (core func $day (canon lower (func $day "now") (memory $libc "memory")))
  (core func $day_resolution (canon lower (func $day "resolution") (memory $libc "memory")))
  (core func $now (canon lower (func $clock "now")))
  (core func $resolution (canon lower (func $clock "resolution")))
  (core func $log (canon lower (func $logging "log") (memory $libc "memory")))
  (core module $core
  (import "libc" "memory" (memory 1))
  (import "host" "bytes" (func $bytes (param i64 i32)))
  (import "host" "number" (func $number (result i64)))
  (import "host" "insecure" (func $insecure (result i64)))
  (import "host" "seed" (func $seed (param i32)))
  (import "host" "day" (func $day (param i32)))
  (import "host" "day_resolution" (func $day_resolution (param i32)))
  (import "host" "now" (func $now (result i64)))
  (import "host" "resolution" (func $resolution (result i64)))
  (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
  (data (i32.const 64) "{\"status\":true,\"response\":[\"")
  (global $end (mut i32) (i32.const 92))
  ;; Sixteen hexadecimal digits and a space.
  (func $tell (param $number i64) (local $digit i32) (local $left i32)
    (local.set $left (i32.const 16))
    (loop $next
      (local.set $number (i64.rotl (local.get $number) (i64.const 4)))
      (local.set $digit (i32.wrap_i64 (i64.and (local.get $number) (i64.const 15))))
      (i32.store8 (global.get $end) (i32.add (local.get $digit)
        (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $digit) (i32.const 9)))))
      (global.set $end (i32.add (global.get $end) (i32.const 1)))
      (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i32.store8 (global.get $end) (i32.const 32))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))
  ;; Seconds and nanoseconds, as nanoseconds.
  (func $tell_time
    (call $tell (i64.add
      (i64.mul (i64.load (i32.const 16)) (i64.const 1000000000))
      (i64.load32_u (i32.const 24)))))
  (func (export "handle") (param i32 i32) (result i32)
    (call $bytes (i64.const 8) (i32.const 16))
    (call $tell (i64.load (i32.load (i32.const 16))))
    (call $tell (call $number))
    (call $tell (call $insecure))
    (call $seed (i32.const 16))
    (call $tell (i64.load (i32.const 16)))
    (call $tell (i64.load (i32.const 24)))
    (call $day (i32.const 16))
    (call $tell_time)
    (call $tell (call $now))
    (call $tell (call $now))
    (call $tell (call $now))
    (call $day_resolution (i32.const 16))
    (call $tell_time)
    (call $tell (call $resolution))
    (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 92) (i32.sub (global.get $end) (i32.const 92)))
    (i32.store (global.get $end) (i32.const 0x7d5d22)) ;; "]}
    (i32.store (i32.const 4) (i32.const 64))
    (i32.store (i32.const 8) (i32.sub (global.get $end) (i32.const 61)))
    i32.const 0))
  (core instance $guest (instantiate $core (with "libc" (instance $libc)) (with "host" (instance
    (export "bytes" (func $bytes)) (export "number" (func $number)) (export "insecure" (func $insecure))
    (export "seed" (func $seed)) (export "day" (func $day)) (export "day_resolution" (func $day_resolution))
    (export "now" (func $now)) (export "resolution" (func $resolution)) (export "log" (func $log))))))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $guest "handle") (memory $libc "memory") (realloc (func $libc "cabi_realloc")))))
