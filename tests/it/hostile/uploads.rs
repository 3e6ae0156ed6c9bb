//! Corpus A: what an author can upload, and how it is refused by name before anything compiles.

use std::time::{Duration, Instant};

use sandbox::{Offer, inspect};

use super::generated::{self, command};
use super::{SHORT, verdicts_on};
use crate::support::{House, Oracle, alone, guest};

/// The longest that an inspection of a refused artifact takes, on a busy machine.
const INSPECTION: Duration = Duration::from_secs(2);

/// Every problem of each artifact, as an author reads them.
fn problems(cases: &[(&str, Vec<u8>)]) -> String {
    let mut lines = Vec::new();
    for (name, artifact) in cases {
        let began = Instant::now();
        let found = inspect(artifact).problems;
        assert!(began.elapsed() < INSPECTION, "{name} took {:?}", began.elapsed());
        lines.push(format!("{name}: {}", if found.is_empty() { "fine".to_owned() } else { found.join("; ") }));
    }
    lines.join("\n")
}

#[test]
fn what_is_no_webassembly_is_refused_as_what_it_is() {
    let cases = [
        ("empty", vec![]),
        ("three bytes", b"\0as".to_vec()),
        ("a truncated header", b"\0asm\x01".to_vec()),
        ("text", b" \n(module)".to_vec()),
        ("a precompiled artifact", b"\x7fELF\x02\x01\x01".to_vec()),
        ("a zip", b"PK\x03\x04".to_vec()),
        ("another version", b"\0asm\x02\0\0\0".to_vec()),
        ("a section id that does not exist", generated::section(99, b"")),
        ("a number that is too long", generated::section(1, b"\xff\xff\xff\xff\xff\xff\x01")),
        ("a section cut short", b"\0asm\x01\0\0\0\x01\x7f".to_vec()),
        ("65 MiB of custom section", generated::section(0, &[b"\x04name".as_slice(), &vec![0; 65 << 20]].concat())),
    ];
    insta::assert_snapshot!(problems(&cases), @r"
    empty: is empty; upload a compiled .wasm file
    three bytes: is not WebAssembly (it does not begin with \0asm); upload a compiled .wasm file
    a truncated header: is malformed: unexpected end-of-file
    text: is WebAssembly text; compile it to binary first, for example with `wasm-tools parse`
    a precompiled artifact: is an ELF file (a native or precompiled binary); upload the .wasm file that it was made from
    a zip: is not WebAssembly (it does not begin with \0asm); upload a compiled .wasm file
    another version: is malformed: unknown binary version:        0x2
    a section id that does not exist: is not valid WebAssembly: malformed section id: 99 (at byte 10); is a core module that exports no `_start` and carries no component type: build a WASI program or use an SDK; it exports nothing
    a number that is too long: is malformed: invalid var_u32: integer representation too long
    a section cut short: is malformed: unexpected end-of-file
    65 MiB of custom section: is 65.0 MiB large; the limit is 64.0 MiB: build it in release mode and strip its debug information
    ");
}

#[test]
fn what_would_compile_for_minutes_is_refused_in_no_time() {
    let cases = [
        ("10,000 nested loops", generated::nested(0x03, 10_000)),
        ("101 nested loops", generated::nested(0x03, 101)),
        ("100,000 nested blocks", generated::nested(0x02, 100_000)),
        ("1,000,000 calls in a function", generated::calls(1_000_000)),
        ("100,000 functions", generated::functions(100_000)),
        ("1,000,000 functions", generated::functions(1_000_000)),
        ("7,600,000 branches", generated::branches(7_600_000)),
        ("50,001 locals", generated::locals(50_001)),
        ("100,000 imports", generated::imports(100_000)),
        ("101 tables", generated::times(101, "(table 1 funcref)")),
        ("101 memories", generated::times(101, "(memory 1)")),
        ("a table of 10,000,000", command("(table 10000000 funcref)")),
        ("a memory of 4 GiB", guest::binary("(module (memory (export \"memory\") 65536) (func (export \"_start\")))")),
        ("200 nested components", generated::nested_components(200)),
        ("1,000 instances", generated::instances(1_000)),
        ("65 instances", generated::instances(65)),
        ("10,000 types in a chain", generated::type_chain(10_000)),
    ];
    insta::assert_snapshot!(problems(&cases), @"
    10,000 nested loops: nests loops deeper than 100 in a function
    101 nested loops: nests loops deeper than 100 in a function
    100,000 nested blocks: nests blocks deeper than 1000 in a function
    1,000,000 calls in a function: has 2000002 bytes of code in one function; the limit is 1048576
    100,000 functions: has 100000 functions; the limit is 60000
    1,000,000 functions: has 1000000 functions; the limit is 60000
    7,600,000 branches: has 7600010 bytes of code in one function; the limit is 1048576
    50,001 locals: is not valid WebAssembly: too many locals: locals exceed maximum (at byte 49)
    100,000 imports: has 100000 imports; the limit is 2000
    101 tables: has 101 tables; the limit is 16
    101 memories: has 102 memories; the limit is 8
    a table of 10,000,000: has 10000000 elements in a table at the start; the limit is 65536
    a memory of 4 GiB: has 4294967296 bytes of memory at the start; the limit is 536870912
    200 nested components: nests components deeper than 8; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    1,000 instances: has 1000 core instances; the limit is 256
    65 instances: has 66 core instances; the limit is 64
    10,000 types in a chain: is not valid WebAssembly: type nesting is too deep (at byte 246)
    ");
}

#[test]
fn a_proposal_that_is_left_out_is_named() {
    let handler = |fields: &str| guest::handling(fields, "call $reply");
    let single = |memory: &str| guest::binary(&format!("(module {memory} (func (export \"_start\")))"));
    let cases = [
        ("shared memory", single("(memory (export \"memory\") 1 1 shared)")),
        ("atomics", handler("(func (drop (i32.atomic.load (i32.const 0))))")),
        ("garbage collection", handler("(type (struct (field i32)))")),
        ("exceptions", handler("(tag $t) (func (throw $t))")),
        ("function references", handler("(type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))")),
        ("externref", handler("(func (param externref))")),
        ("64-bit memory", single("(memory (export \"memory\") i64 1)")),
        ("two memories", command("(memory 1)")),
        ("custom page sizes", single("(memory (export \"memory\") 1 (pagesize 1))")),
        (
            "wide arithmetic",
            handler("(func (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)) drop drop)"),
        ),
        ("relaxed SIMD", handler("(func (param v128) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 0))))")),
        (
            "stack switching",
            handler("(type $f (func)) (type $c (cont $f)) (func (param (ref $c)) (resume $c (local.get 0)))"),
        ),
        ("async lift", guest::binary(ASYNC_LIFT)),
        ("a stream", guest::binary("(component (type (stream u8)))")),
        ("a future", guest::binary("(component (type (future u8)))")),
        ("a waitable set", guest::binary("(component (core func (canon waitable-set.new)))")),
        ("a yield", guest::binary("(component (core func (canon thread.yield)))")),
        ("a start function", guest::binary("(component (import \"f\" (func $f)) (start $f))")),
        ("a list of fixed length", guest::binary("(component (type (list u8 4)))")),
        ("an error context", guest::binary("(component (core func (canon error-context.drop)))")),
        ("tail calls are offered", handler("(func $f (return_call $f))")),
        ("SIMD is offered", handler("(func (result v128) (v128.const i64x2 0 0))")),
    ];
    insta::assert_snapshot!(problems(&cases), @"
    shared memory: needs threads and shared memory, which codenode does not offer: build it without
    atomics: needs threads and shared memory, which codenode does not offer: build it without
    garbage collection: needs garbage collection, which codenode does not offer: build it without
    exceptions: needs exception handling, which codenode does not offer: build it without
    function references: needs typed function references, which codenode does not offer: build it without
    externref: needs references to host values (externref), which codenode does not offer: build it without
    64-bit memory: needs 64-bit memories, which codenode does not offer: build it without
    two memories: needs several memories in one module, which codenode does not offer: build it without
    custom page sizes: needs custom page sizes, which codenode does not offer: build it without
    wide arithmetic: needs wide arithmetic, which codenode does not offer: build it without
    relaxed SIMD: needs relaxed SIMD, which codenode does not offer: build it without
    stack switching: needs stack switching, which codenode does not offer: build it without
    async lift: needs component-model async (WASI 0.3), which codenode does not offer: build it without; needs stackful component-model async, which codenode does not offer: build it without
    a stream: needs component-model async (WASI 0.3), which codenode does not offer: build it without; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    a future: needs component-model async (WASI 0.3), which codenode does not offer: build it without; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    a waitable set: needs component-model async (WASI 0.3), which codenode does not offer: build it without; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    a yield: needs component-model async (WASI 0.3), which codenode does not offer: build it without; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    a start function: needs component-model values, which codenode does not offer: build it without; imports f, which codenode does not offer: only interfaces of WASI 0.2 and codenode:node can be imported; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    a list of fixed length: needs component-model fixed-length lists, which codenode does not offer: build it without; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    an error context: needs component-model error contexts, which codenode does not offer: build it without; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    tail calls are offered: fine
    SIMD is offered: fine
    ");
}

const ASYNC_LIFT: &str = r#"(component
  (core module $m (func (export "handle")) (func (export "back") (param i32 i32 i32) (result i32) unreachable))
  (core instance $i (instantiate $m))
  (func (export "handle") async (canon lift (core func $i "handle") async)))"#;

#[test]
fn a_type_of_no_size_or_of_too_many_flags_is_no_type() {
    let ty = |ty: &str| guest::binary(&format!("(component (type {ty}))"));
    let flags: Vec<String> = (0..33).map(|at| format!("\"f{at}\"")).collect();
    let cases = [
        ("a record without a field", ty("(record)")),
        ("a tuple of nothing", ty("(tuple)")),
        ("a variant without a case", ty("(variant)")),
        ("an enum without a case", ty("(enum)")),
        ("flags without a flag", ty("(flags)")),
        ("33 flags", ty(&format!("(flags {})", flags.join(" ")))),
    ];
    let only_the_first = |line: &str| line.split("; is a component").next().unwrap_or_default().to_owned();
    let lines: Vec<String> = problems(&cases).lines().map(only_the_first).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    a record without a field: is not valid WebAssembly: record type must have at least one field (at byte 11)
    a tuple of nothing: is not valid WebAssembly: tuple type must have at least one type (at byte 11)
    a variant without a case: is not valid WebAssembly: variant type must have at least one case (at byte 11)
    an enum without a case: is not valid WebAssembly: enum type must have at least one variant (at byte 11)
    flags without a flag: is not valid WebAssembly: flags must have at least one entry (at byte 11)
    33 flags: is not valid WebAssembly: cannot have more than 32 flags (at byte 11)
    ");
}

#[test]
fn an_import_that_is_not_served_is_refused_by_name() {
    let import = |name: &str| guest::binary(&format!("(component (import \"{name}\" (instance)))"));
    let cases = [
        ("preview 0", command("(import \"wasi_unstable\" \"fd_write\" (func))")),
        ("unknown function", command("(import \"wasi_snapshot_preview1\" \"fd_wrote\" (func))")),
        ("undefined symbol", command("(import \"env\" \"malloc\" (func))")),
        ("tcp", import("wasi:sockets/tcp@0.2.0")),
        ("incoming http", import("wasi:http/incoming-handler@0.2.0")),
        ("preview 3", import("wasi:clocks/monotonic-clock@0.3.0")),
        ("unknown WASI", import("wasi:nn/graph@0.2.0")),
        ("an older draft", import("wasi:keyvalue/store@0.2.0-draft")),
        ("another tenant's", import("acme:billing/secrets")),
    ];
    insta::assert_snapshot!(problems(&cases), @"
    preview 0: imports wasi_unstable.fd_write, which codenode does not offer: build for wasi_snapshot_preview1 or WASI 0.2
    unknown function: imports wasi_snapshot_preview1.fd_wrote, which codenode does not offer: only interfaces of WASI 0.2 and codenode:node can be imported
    undefined symbol: imports env.malloc, which codenode does not offer: the linker left this function undefined; link the library that defines it
    tcp: imports wasi:sockets/tcp@0.2.0, which codenode does not offer: handlers have no sockets; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    incoming http: imports wasi:http/incoming-handler@0.2.0, which codenode does not offer: export it, and codenode calls it; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    preview 3: imports wasi:clocks/monotonic-clock@0.3.0, which codenode does not offer: codenode serves WASI 0.2; build for wasm32-wasip2; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    unknown WASI: imports wasi:nn/graph@0.2.0, which codenode does not offer: it serves the command line streams, clocks, random numbers and outbound HTTP of WASI 0.2, wasi:logging, wasi:keyvalue and wasi:config; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    an older draft: imports wasi:keyvalue/store@0.2.0-draft, which codenode does not offer: it serves store, atomics and batch of wasi:keyvalue@0.2.0-draft2; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    another tenant's: imports acme:billing/secrets, which codenode does not offer: only interfaces of WASI 0.2 and codenode:node can be imported; is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    ");
}

#[test]
fn the_socket_functions_that_a_runtime_imports_unasked_are_shown_as_denied() {
    let inspection = inspect(&guest::named("command_accepts_a_connection"));
    assert!(inspection.problems.is_empty(), "{inspection:?}");
    let offers: Vec<(&str, Offer)> =
        inspection.imports.iter().map(|import| (import.name.as_str(), import.offer)).collect();
    assert_eq!(offers, [("wasi_snapshot_preview1.sock_accept", Offer::Denied)]);
}

#[test]
fn a_contract_that_is_not_ours_is_refused() {
    let cases = [
        ("no export", guest::binary("(module)")),
        ("another export", guest::binary("(module (func (export \"run\")))")),
        ("an empty component", guest::binary("(component)")),
        ("hostile names", guest::binary("(module (func (export \"a\\r\\nX: 1\\1b[2J\")))")),
        ("both contracts", guest::binary(BOTH)),
    ];
    insta::assert_snapshot!(problems(&cases), @r"
    no export: is a core module that exports no `_start` and carries no component type: build a WASI program or use an SDK; it exports nothing
    another export: is a core module that exports no `_start` and carries no component type: build a WASI program or use an SDK; it exports `run`
    an empty component: is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor `wasi:http/incoming-handler@0.2`; it exports nothing
    hostile names: is a core module that exports no `_start` and carries no component type: build a WASI program or use an SDK; it exports `a\r\nX: 1\u{1b}[2J`
    both contracts: exports several of `handle`, `wasi:cli/run` and `wasi:http/incoming-handler`: keep the one that codenode shall call
    ");
}

const BOTH: &str = r#"(component
  (core module $m (func (export "f") (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "f")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli))
  (export "handle" (func $run)))"#;

#[test]
fn what_only_the_compiler_or_the_linker_can_tell_is_refused_there() {
    alone(|| {
        let house = House::open();
        let oracle = Oracle::look_around(&house);
        let cases = [
            ("handle of another type", guest::binary(WRONG_HANDLE)),
            (
                "_start of another type",
                guest::binary("(module (memory (export \"memory\") 1) (func (export \"_start\") (param i32)))"),
            ),
            (
                "no memory",
                guest::binary(
                    "(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32))) (func (export \"_start\")))",
                ),
            ),
            (
                "fd_write of another type",
                command("(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32)))"),
            ),
            ("a clock of another type", guest::binary(WRONG_IMPORT)),
            ("1,000,000 branches", generated::branches(1_000_000)),
        ];
        let lines: Vec<String> = cases.iter().map(|(name, artifact)| oracle.verdict(name, artifact, &SHORT)).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        handle of another type: refused: the artifact does not fit what codenode offers: type-checking export func `handle`: expected `string` found `u32`
        _start of another type: refused: the artifact does not fit what codenode offers: its `_start` must be a function that takes nothing and returns nothing
        no memory: refused: the artifact does not fit what codenode offers: it imports WASI and must export its memory as `memory`
        fd_write of another type: refused: the artifact does not fit what codenode offers: incompatible import type for `wasi_snapshot_preview1::fd_write`: types incompatible: expected type `(func (param i32))`, found type `(func (param i32 i32 i32 i32) (result i32))`
        a clock of another type: refused: the artifact does not fit what codenode offers: component imports instance `wasi:clocks/monotonic-clock@0.2.0`, but a matching implementation was not found in the linker: instance export `now` has the wrong type: type mismatch with parameters: expected 0-tuple, found 1-tuple
        1,000,000 branches: refused: the artifact cannot be compiled: failed to compile: wasm[0]::function[0]: WebAssembly translation error: Unsupported feature: `br_table` has 1000000 targets, which exceeds the implementation limit of 65520
        ");
    });
}

const WRONG_HANDLE: &str = r#"(component
  (core module $m (func (export "handle") (param i32) (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (func (export "handle") (param "event" u32) (result u32) (canon lift (core func $i "handle"))))"#;

const WRONG_IMPORT: &str = r#"(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (param "zone" string) (result u64)))))
  (core module $m
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "handle") (param i32 i32) (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $i "handle") (memory $i "memory") (realloc (func $i "cabi_realloc")))))"#;

#[test]
fn what_is_more_than_a_run_has_room_for_is_refused_when_it_is_linked() {
    alone(|| {
        let instances = generated::instances_of;
        let cases = [
            ("8 memories", instances("(memory 1)", 7)),
            ("9 memories", instances("(memory 1)", 8)),
            ("21 memories", instances("(memory 1)", 20)),
            ("16 tables", instances(&"(table 1 funcref)".repeat(8), 2)),
            ("24 tables", instances(&"(table 1 funcref)".repeat(8), 3)),
            ("200,000 globals", instances(&"(global i32 (i32.const 0))".repeat(5_000), 40)),
            ("300,000 globals", instances(&"(global i32 (i32.const 0))".repeat(5_000), 60)),
            ("280,000 globals in one", generated::times(280_000, "(global i32 (i32.const 0))")),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @r#"
        8 memories: reply {"status":true,"response":["ok"]}
        9 memories: refused: the artifact does not fit into the place of a run: The component transitively contains 9 Wasm linear memories, which exceeds the configured maximum of 8
        21 memories: refused: the artifact does not fit into the place of a run: The component transitively contains 21 Wasm linear memories, which exceeds the configured maximum of 8
        16 tables: reply {"status":true,"response":["ok"]}
        24 tables: refused: the artifact does not fit into the place of a run: The component transitively contains 24 tables, which exceeds the configured maximum of 16
        200,000 globals: reply {"status":true,"response":["ok"]}
        300,000 globals: refused: the artifact does not fit into the place of a run: its globals, functions and imports take more than 4.0 MiB of the engine's memory
        280,000 globals in one: refused: the artifact does not fit into the place of a run: its globals, functions and imports take more than 4.0 MiB of the engine's memory
        "#);
    });
}

#[test]
fn what_is_large_but_honest_is_compiled_and_runs() {
    alone(|| {
        let cases = [
            ("100 nested loops", generated::nested(0x03, 100)),
            ("999 nested blocks", generated::nested(0x02, 999)),
            ("10,000 functions", generated::functions(10_000)),
            ("200 functions with 50,000 locals", generated::functions_with_many_locals()),
            ("200,000 values on the stack", generated::values(200_000)),
            ("65,000 branches", generated::branches(65_000)),
            ("32 MiB of data", generated::data(32 << 20)),
            ("8 instances", generated::instances(7)),
        ];
        let house = House::open();
        let oracle = Oracle::look_around(&house);
        let lines: Vec<String> = cases.iter().map(|(name, artifact)| oracle.verdict(name, artifact, &SHORT)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        100 nested loops: reply_empty: the reply has no message: the handler wrote nothing
        999 nested blocks: reply_empty: the reply has no message: the handler wrote nothing
        10,000 functions: reply_empty: the reply has no message: the handler wrote nothing
        200 functions with 50,000 locals: reply_empty: the reply has no message: the handler wrote nothing
        200,000 values on the stack: reply_empty: the reply has no message: the handler wrote nothing
        65,000 branches: reply_empty: the reply has no message: the handler wrote nothing
        32 MiB of data: reply_empty: the reply has no message: the handler wrote nothing
        8 instances: reply {"status":true,"response":["ok"]}
        "#);
    });
}
