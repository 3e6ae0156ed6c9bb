//! Guests: those of `tests/guests`, and the shells that turn a few lines of WebAssembly into one.

use std::fmt::Write as _;
use std::fs;

/// The reply of every guest that means well.
pub(crate) const OK: &str = r#"{"status":true,"response":["ok"]}"#;

const OK_TEXT: &str = "ok";

/// A guest of `tests/guests`: a component, a WASI program, or the core module of a code node.
pub(crate) fn named(name: &str) -> Vec<u8> {
    text(&source(name))
}

/// The text of a guest of `tests/guests`.
pub(crate) fn source(name: &str) -> String {
    let path = format!("{}/../../tests/guests/{name}.wat", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A guest of `tests/guests` with parts of its text replaced, wherever they stand.
pub(crate) fn changed(name: &str, changes: &[(&str, &str)]) -> Vec<u8> {
    let change = |text: String, (from, to): &(&str, &str)| {
        assert!(text.contains(from), "{name} has no {from}");
        text.replace(from, to)
    };
    text(&changes.iter().fold(source(name), change))
}

/// A guest from its text; the core module of a code node gets the component around it.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let is_handler = !text.contains("(component") && text.contains("(export \"handle\")");
    if is_handler { binary(&code_node(text, "")) } else { binary(text) }
}

/// A code node of `tests/guests` whose strings have another encoding.
pub(crate) fn with_strings_in(encoding: &str, name: &str) -> Vec<u8> {
    binary(&code_node(&source(name), &format!("string-encoding={encoding}")))
}

/// A code node that does `body`, in which `call $reply` is the reply [`OK`]; `fields` go before.
pub(crate) fn handling(fields: &str, body: &str) -> Vec<u8> {
    text(&format!(
        r#"(module {fields}
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func $reply (result i32) i32.const 0)
  (func (export "handle") (param i32 i32) (result i32) {body}))"#,
        OK.replace('"', "\\\"")
    ))
}

/// One of many code nodes that each have code of their own: the one that replies with [`number`].
pub(crate) fn numbered(at: usize) -> Vec<u8> {
    text(&source("answers").replace(OK_TEXT, &format!("{at:04}")).replace("\\21", "\\23"))
}

/// The reply of [`numbered`].
pub(crate) fn number(at: usize) -> String {
    OK.replace(OK_TEXT, &format!("{at:04}"))
}

/// A command that writes `output` and ends well.
pub(crate) fn printing(output: &[u8]) -> Vec<u8> {
    let mut data = String::with_capacity(3 * output.len());
    output.iter().for_each(|byte| write!(data, "\\{byte:02x}").unwrap());
    let (length, pages) = (output.len(), output.len() / (64 << 10) + 2);
    binary(&format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") {pages})
  (data (i32.const 64) "{data}")
  (func (export "_start") (local $done i32)
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.const 64) (local.get $done)))
      (i32.store (i32.const 4) (i32.sub (i32.const {length}) (local.get $done)))
      (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (local.set $done (i32.add (local.get $done) (i32.load (i32.const 8))))
      (br_if $more (i32.lt_u (local.get $done) (i32.const {length}))))))"#
    ))
}

/// The component around the core module of a code node. A module that imports from `host` gets what [`HOST`] lowers.
fn code_node(core: &str, options: &str) -> String {
    let core = core.replacen("(module", "(core module $core", 1);
    let cleanup = if core.contains("(export \"cleanup\")") { "(post-return (func $guest \"cleanup\"))" } else { "" };
    let (host, with, memory) =
        if core.contains("(import \"host\"") { (HOST, WITH_HOST, "$memory") } else { ("", "", "$guest") };
    format!(
        r#"(component {host} {core}
  (core instance $guest (instantiate $core {with}))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $guest "handle") {options} {cleanup}
      (memory {memory} "memory") (realloc (func $guest "cabi_realloc")))))"#
    )
}

/// Timers, the clock, the log and a resource of the guest's own, as core functions.
const HOST: &str = r#"
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $pollable (eq $outer)))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (import "wasi:logging/logging@0.1.0-draft" (instance $logging
    (type $names (enum "trace" "debug" "info" "warn" "error" "critical"))
    (export "level" (type $level (eq $names)))
    (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
  (type $own (resource (rep i32)))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $drop (canon resource.drop $pollable))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $now (canon lower (func $clock "now")))
  (core func $log (canon lower (func $logging "log") (memory $memory "memory")))
  (core func $new (canon resource.new $own))"#;

const WITH_HOST: &str = r#"(with "host" (instance
    (export "memory" (memory $memory "memory"))
    (export "block" (func $block)) (export "drop" (func $drop)) (export "subscribe" (func $subscribe))
    (export "now" (func $now)) (export "log" (func $log)) (export "new" (func $new))))"#;

/// Text to bytes.
pub(crate) fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}
