use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Engine, Store};

use super::*;

/// As wit-component links libraries: a memory and a table that all share, a shim for what needs the memory, and a fix-up that fills it in.
const LINKED: &str = r#"
    (component
        (import "host" (instance $host (export "say" (func (param "text" string) (result u32))) (export "one" (func (result u32)))))
        (core module $main
            (type $unary (func (param i32) (result i32)))
            (memory (export "memory") 2)
            (table (export "table") 8 funcref)
            (global (export "base") i32 (i32.const 16))
            (global (export "first") i32 (i32.const 3))
            (global (export "stack") (mut i32) (i32.const 100))
            (func (export "twice") (param i32) (result i32) (call_indirect (type $unary) (local.get 0) (i32.const 3)))
            (data (i32.const 8) "main"))
        (core module $shim
            (table (export "$imports") 1 1 funcref)
            (type $say (func (param i32 i32) (result i32)))
            (func (export "0") (param i32 i32) (result i32) (call_indirect (type $say) (local.get 0) (local.get 1) (i32.const 0))))
        (core module $library
            (@custom "dylink.0" "")
            (type $unused (func (param i64)))
            (type $unary (func (param i32) (result i32)))
            (import "env" "memory" (memory 1))
            (import "env" "table" (table 1 funcref))
            (import "env" "base" (global $base i32))
            (import "env" "first" (global $first i32))
            (import "env" "stack" (global $stack (mut i32)))
            (import "env" "one" (func $one (result i32)))
            (global $own i32 (global.get $base))
            (func $double (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
            (func (export "count") (result i32)
                (global.set $stack (i32.add (global.get $stack) (call $one)))
                (i32.add (i32.load8_u (global.get $own)) (global.get $stack)))
            (elem (table 0) (global.get $first) func $double)
            (data (global.get $base) "a library"))
        (core module $app
            (import "env" "memory" (memory 1))
            (import "env" "twice" (func $twice (param i32) (result i32)))
            (import "library" "count" (func $count (result i32)))
            (import "shim" "0" (func $say (param i32 i32) (result i32)))
            (import "env" "one" (func $one (result i32)))
            (func (export "run") (result i32)
                (i32.add (call $twice (call $count)) (call $say (i32.const 16) (i32.const 9))))
            (func (export "again") (result i32) (i32.add (call $count) (call $one)))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))
        (core module $fixup
            (import "shim" "$imports" (table 1 1 funcref))
            (import "actual" "0" (func (param i32 i32) (result i32)))
            (elem (i32.const 0) func 0))
        (core instance $shim (instantiate $shim))
        (core instance $main (instantiate $main))
        (alias core export $main "memory" (core memory $memory))
        (core func $one (canon lower (func $host "one")))
        (core instance $env
            (export "memory" (memory $memory))
            (export "table" (table $main "table"))
            (export "base" (global $main "base"))
            (export "first" (global $main "first"))
            (export "stack" (global $main "stack"))
            (export "twice" (func $main "twice"))
            (export "one" (func $one)))
        (core instance $library (instantiate $library (with "env" (instance $env))))
        (core instance $app (instantiate $app
            (with "env" (instance $env)) (with "library" (instance $library)) (with "shim" (instance $shim))))
        (core func $say (canon lower (func $host "say") (memory $memory) string-encoding=utf8))
        (core instance $actual (export "0" (func $say)))
        (core instance (instantiate $fixup (with "shim" (instance $shim)) (with "actual" (instance $actual))))
        (func (export "run") (result u32) (canon lift (core func $app "run")))
        (func (export "again") (result u32) (canon lift (core func $app "again"))))
"#;

/// What its two exports give, one after the other in one instance, and what the host was told.
fn run(component: &[u8]) -> (Vec<Val>, Vec<String>) {
    let engine = Engine::default();
    let mut linker = Linker::<Vec<String>>::new(&engine);
    let mut host = linker.instance("host").unwrap();
    host.func_wrap("say", |mut store, (text,): (String,)| {
        store.data_mut().push(text);
        Ok((1000_u32,))
    })
    .unwrap();
    host.func_wrap("one", |_, ()| Ok((1_u32,))).unwrap();
    let component = Component::new(&engine, component).unwrap();
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let mut results = vec![Val::U32(0); 2];
    for (name, result) in ["run", "again"].iter().zip(results.chunks_mut(1)) {
        instance.get_func(&mut store, name).unwrap().call(&mut store, &[], result).unwrap();
    }
    (results, store.into_data())
}

fn core_modules(component: &[u8]) -> usize {
    let parsed = wasmparser::Parser::new(0).parse_all(component);
    parsed.filter(|payload| matches!(payload, Ok(wasmparser::Payload::ModuleSection { .. }))).count()
}

fn why_not(text: &str) -> String {
    merge(&wat::parse_str(text).unwrap()).unwrap_err().to_string()
}

#[test]
fn libraries_become_one_module_that_does_the_same() {
    let before = wat::parse_str(LINKED).unwrap();
    let after = merge(&before).unwrap();
    assert_eq!((core_modules(&before), core_modules(&after)), (5, 2));
    let expected = (vec![Val::U32(2 * (97 + 101) + 1000), Val::U32(97 + 102 + 1)], vec!["a library".to_owned()]);
    assert_eq!(run(&before), expected);
    assert_eq!(run(&after), expected);
}

#[test]
fn functions_keep_their_names() {
    let merged = merge(&wat::parse_str(LINKED).unwrap()).unwrap();
    assert!(merged.windows(6).any(|window| window == b"double"));
}

#[test]
fn what_merging_would_change_stays_as_it_is() {
    let with = |from: &str, to: &str| {
        assert!(LINKED.contains(from), "{from}");
        LINKED.replace(from, to)
    };
    for (text, why) in [
        (with("(@custom \"dylink.0\" \"\")", ""), "none of its modules was linked dynamically"),
        (with("(data (i32.const 8) \"main\")", "(func $start) (start $start)"), "one has a start function"),
        (with("(data (i32.const 8) \"main\")", "(@custom \".debug_info\" \"\")"), "one carries DWARF"),
        (with("(data (i32.const 8) \"main\")", "(tag)"), "one has exception tags"),
        (
            with("(core instance $env", "(core instance (instantiate $main)) (core instance $env"),
            "one is instantiated twice",
        ),
        (with("(type $say ", "(memory 1) (type $say "), "it cannot be read: multiple memories"),
        (
            with("(data (global.get $base)", "(data (global.get $stack)"),
            "a constant of one is a global that can change",
        ),
    ] {
        let said = why_not(&text);
        assert!(said.starts_with(why), "{said}");
    }
}
