//! Corpus C again: what one component of a guest passes to another, through wasmtime's own adapters.

use super::verdicts_on;
use crate::support::{alone, guest};

#[test]
fn what_is_lent_comes_back_in_time_and_stays_its_owners() {
    alone(|| {
        let lends = |from: &str, to: &str| guest::changed("lends_a_handle", &[(from, to)]);
        let cases = [
            ("all comes back", guest::named("lends_a_handle")),
            ("kept past the call", lends("unreachable))\n        (call $drop (local.get $lent))", "unreachable))")),
            ("used after the call", lends("\"later\") nop", "\"later\") (drop (call $look (global.get $last)))")),
            ("dropped after the call", lends("\"later\") nop", "\"later\") (call $drop (global.get $last))")),
            (
                "given away as an own one",
                lends(
                    "(call $drop (local.get $lent))\n        (call $drop (local.get $given))",
                    "(call $give (local.get $lent))",
                ),
            ),
            (
                "moved while it is lent",
                lends("(local.get $lent) (local.get $given))", "(local.get $lent) (local.get $lent))"),
            ),
            ("used after it was moved", lends("(call $later)", "(call $take (local.get $given))")),
            ("dropped while it is lent", guest::named("drops_a_lent_handle_when_called_back")),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @r#"
        all comes back: reply {"status":true,"response":["ok"]}
        kept past the call: trap: borrow handles still remain at the end of the call [canonical_abi]
        used after the call: trap: unknown handle index 1 [canonical_abi]
        dropped after the call: trap: unknown handle index 1 [canonical_abi]
        given away as an own one: trap: cannot lift own resource from a borrow [canonical_abi]
        moved while it is lent: trap: cannot remove owned resource while borrowed [canonical_abi]
        used after it was moved: trap: unknown handle index 2 [canonical_abi]
        dropped while it is lent: trap: cannot enter component instance [cannot_enter_component]
        "#);
    });
}

#[test]
fn flags_that_do_not_exist_arrive_nowhere() {
    alone(|| {
        let flags = |count: usize| {
            let labels: Vec<String> = (0..count).map(|at| format!("\"f{at}\"")).collect();
            let mask = format!("(i32.const {:#x})", u32::MAX >> (32 - count.min(32)));
            guest::changed(
                "passes_flags_between_components",
                &[("\"f0\"", &labels.join(" ")), ("(i32.const 0x1)", &mask)],
            )
        };
        let cases = [
            ("1 flag", flags(1)),
            ("7 flags", flags(7)),
            ("8 flags", flags(8)),
            ("9 flags", flags(9)),
            ("16 flags", flags(16)),
            ("17 flags", flags(17)),
            ("31 flags", flags(31)),
            ("32 flags", flags(32)),
            ("to the host", guest::named("opens_a_file_with_flags_that_do_not_exist")),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @r#"
        1 flag: reply {"status":true,"response":["ok"]}
        7 flags: reply {"status":true,"response":["ok"]}
        8 flags: reply {"status":true,"response":["ok"]}
        9 flags: reply {"status":true,"response":["ok"]}
        16 flags: reply {"status":true,"response":["ok"]}
        17 flags: reply {"status":true,"response":["ok"]}
        31 flags: reply {"status":true,"response":["ok"]}
        32 flags: reply {"status":true,"response":["ok"]}
        to the host: trap: unknown handle index 1 [canonical_abi]
        "#);
    });
}

#[test]
fn lists_between_components_are_checked_and_cost_what_is_copied() {
    alone(|| {
        let lists = |item: &str, from: &str, to: &str| {
            let item = format!("(type $item' {item})");
            guest::changed("passes_lists_between_components", &[("(type $item' u8)", &item), (from, to)])
        };
        let long = |item: &str, length: &str| lists(item, "(i32.const 16))", &format!("(i32.const {length}))"));
        let for_ever = |item: &str, length: &str| {
            let again = format!("(loop $again (call $take (i32.const 64) (i32.const {length})) (br $again))");
            lists(item, "(call $take (i32.const 0) (i32.const 16))", &again)
        };
        let cases = [
            ("16 bytes", long("u8", "16")),
            ("1,000,000 bytes", long("u8", "1000000")),
            ("1,000,000 tuples", long("(tuple u8)", "1000000")),
            ("1,000,000 records", long("(record (field \"a\" bool))", "1000000")),
            ("1,000,000 flags", long("(flags \"a\")", "1000000")),
            ("more than there are", long("(tuple u8)", "31457281")),
            ("more than can be", long("(flags \"a\")", "0xffffffff")),
            ("more than can be counted", long("(tuple u64 u64)", "0x10000001")),
            ("empty texts for ever", for_ever("string", "1000000")),
            ("empty lists for ever", for_ever("(list (tuple u8))", "1000000")),
            ("bytes for ever", for_ever("u8", "31000000")),
            ("tuples for ever", for_ever("(tuple u8)", "1000000")),
            ("flags for ever", for_ever("(flags \"a\")", "1000000")),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @r#"
        16 bytes: reply {"status":true,"response":["ok"]}
        1,000,000 bytes: reply {"status":true,"response":["ok"]}
        1,000,000 tuples: reply {"status":true,"response":["ok"]}
        1,000,000 records: reply {"status":true,"response":["ok"]}
        1,000,000 flags: reply {"status":true,"response":["ok"]}
        more than there are: trap: list content out-of-bounds [list_out_of_bounds]
        more than can be: trap: list content out-of-bounds [list_out_of_bounds]
        more than can be counted: trap: list content out-of-bounds [list_out_of_bounds]
        empty texts for ever: out_of_cpu: it computed for longer than 100ms
        empty lists for ever: out_of_cpu: it computed for longer than 100ms
        bytes for ever: out_of_cpu: it computed for longer than 100ms
        tuples for ever: out_of_cpu: it computed for longer than 100ms
        flags for ever: out_of_cpu: it computed for longer than 100ms
        "#);
    });
}

#[test]
fn long_items_that_are_all_the_same_bytes_cost_what_is_copied() {
    alone(|| {
        let items = |from: &str, to: &str| guest::changed("passes_long_items_between_components", &[(from, to)]);
        let cases = [
            ("text, as UTF-16", guest::named("passes_long_items_between_components")),
            ("text, as Latin-1", items("string-encoding=utf16", "string-encoding=latin1+utf16")),
            ("bytes", items("(type $item' string)", "(type $item' (list u8))")),
            ("tuples", items("(type $item' string)", "(type $item' (list (tuple u8)))")),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @"
        text, as UTF-16: out_of_cpu: it computed for longer than 100ms
        text, as Latin-1: out_of_cpu: it computed for longer than 100ms
        bytes: out_of_cpu: it computed for longer than 100ms
        tuples: out_of_cpu: it computed for longer than 100ms
        ");
    });
}
