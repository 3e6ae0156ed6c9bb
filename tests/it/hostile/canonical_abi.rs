//! Corpus C: what crosses the boundary is never what it says it is.

use model::{Cause, Limits, Outcome};

use super::{SHORT, verdicts, verdicts_on};
use crate::support::{House, Oracle, alone, guest};

#[test]
fn a_reply_that_is_not_where_or_what_it_says_is_the_authors_trap() {
    alone(|| {
        let cases = [
            ("returns_a_string_out_of_bounds", SHORT),
            ("returns_a_huge_string", SHORT),
            ("returns_a_pointer_out_of_bounds", SHORT),
            ("returns_a_negative_pointer", SHORT),
            ("returns_a_misaligned_pointer", SHORT),
            ("returns_bad_utf8", SHORT),
            ("returns_neither_ok_nor_error", SHORT),
            ("returns_an_error", SHORT),
            ("returns_an_error_without_a_text", SHORT),
            ("returns_sixty_megabytes", SHORT),
            ("traps_after_its_reply", SHORT),
            ("loops_after_its_reply", SHORT),
        ];
        insta::assert_snapshot!(verdicts(&cases), @"
        returns_a_string_out_of_bounds: trap: string pointer/length out of bounds of memory [canonical_abi]
        returns_a_huge_string: trap: string pointer/length out of bounds of memory [canonical_abi]
        returns_a_pointer_out_of_bounds: trap: return pointer not aligned [canonical_abi]
        returns_a_negative_pointer: trap: pointer out of bounds of memory [canonical_abi]
        returns_a_misaligned_pointer: trap: return pointer not aligned [canonical_abi]
        returns_bad_utf8: trap: invalid utf-8 sequence of 1 bytes from index 0 [canonical_abi]
        returns_neither_ok_nor_error: trap: invalid expected discriminant [canonical_abi]
        returns_an_error: exception: no stock
        returns_an_error_without_a_text: exception: the handler returned an error without a text
        returns_sixty_megabytes: reply_too_large: the reply is larger than 256.0 KiB
        traps_after_its_reply: trap: wasm `unreachable` instruction executed [unreachable_code_reached]
        loops_after_its_reply: out_of_cpu: it computed for longer than 100ms
        ");
    });
}

#[test]
fn strings_of_other_encodings_are_checked_too() {
    alone(|| {
        let cases = [
            ("a lone surrogate", guest::with_strings_in("utf16", "returns_a_lone_surrogate")),
            ("an odd address", guest::with_strings_in("utf16", "returns_an_odd_address")),
            ("an odd address, latin1", guest::with_strings_in("latin1+utf16", "returns_an_odd_address")),
            ("a tagged length", guest::with_strings_in("latin1+utf16", "returns_a_tagged_length")),
            ("out of bounds", guest::with_strings_in("utf16", "returns_a_string_out_of_bounds")),
            ("huge", guest::with_strings_in("utf16", "returns_a_huge_string")),
            ("latin1 is any byte", guest::with_strings_in("latin1+utf16", "answers")),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @r#"
        a lone surrogate: trap: unpaired surrogate found: d800 [canonical_abi]
        an odd address: trap: string pointer not aligned to 2 [canonical_abi]
        an odd address, latin1: trap: string pointer not aligned to 2 [canonical_abi]
        a tagged length: trap: string pointer/length out of bounds of memory [canonical_abi]
        out of bounds: trap: string pointer/length out of bounds of memory [canonical_abi]
        huge: trap: string pointer/length out of bounds of memory [canonical_abi]
        latin1 is any byte: reply {"status":true,"response":["ok"]}
        "#);
    });
}

#[test]
fn text_between_components_of_other_encodings_arrives_as_it_was_or_not_at_all() {
    let house = House::open();
    let echo = house.prepare(&guest::named("echoes_through_three_encodings"));
    for text in ["plain", "naïve", "नमस्ते", "😊 and नमस्ते and naïve", &"é".repeat(5_000), &"😊".repeat(2_000)]
    {
        let json = format!(r#"{{"status":true,"response":["{text}"]}}"#);
        let run = house.run_on(&json, &echo, &SHORT);
        assert!(matches!(&run.outcome, Outcome::Reply(reply) if reply.as_str() == json), "{run:?}");
    }
    for lie in ["0x80000000", "0xffffffff", "0x7fffffff", "0x80000001"] {
        let text =
            guest::source("echoes_through_three_encodings").replace("(i32.const 0x0)", &format!("(i32.const {lie})"));
        let run = house.run_on(r#"{"text":"नमस्ते"}"#, &house.prepare(&guest::text(&text)), &SHORT);
        let Outcome::BotBreak(broken) = &run.outcome else { panic!("{lie}: {run:?}") };
        assert!(matches!(broken.cause, Cause::Trap | Cause::ReplyNotJson | Cause::ReplyEmpty), "{lie}: {broken:?}");
    }
}

#[test]
fn a_guest_that_makes_no_room_for_the_event_gets_none() {
    alone(|| {
        let cases = [
            ("loops_in_realloc", SHORT),
            ("traps_in_realloc", SHORT),
            ("allocates_out_of_bounds", SHORT),
            ("calls_the_host_in_realloc", SHORT),
        ];
        insta::assert_snapshot!(verdicts(&cases), @"
        loops_in_realloc: out_of_cpu: it computed for longer than 100ms
        traps_in_realloc: trap: wasm `unreachable` instruction executed [unreachable_code_reached]
        allocates_out_of_bounds: trap: realloc return: beyond end of memory [canonical_abi]
        calls_the_host_in_realloc: trap: cannot leave component instance [cannot_leave_component]
        ");
        let house = House::open();
        let large = format!("{{\"text\":\"{}\"}}", "x".repeat(200_000));
        let oracle = Oracle::look_around(&house);
        insta::assert_snapshot!(oracle.verdict_on(&large, "200 kB into 64 KiB", &guest::named("answers"), &SHORT), @"200 kB into 64 KiB: trap: realloc return: beyond end of memory [canonical_abi]");
    });
}

#[test]
fn handles_are_counted_and_checked() {
    alone(|| {
        let cases = [
            ("keeps_ten_million_timers", Limits::DEFAULT),
            ("keeps_ten_million_handles", Limits::DEFAULT),
            ("drops_a_handle_twice", SHORT),
            ("uses_a_dropped_handle", SHORT),
            ("uses_a_handle_of_another_type", SHORT),
            ("uses_a_made_up_handle", SHORT),
        ];
        insta::assert_snapshot!(verdicts(&cases), @"
        keeps_ten_million_timers: too_many_calls: it held more than 1000 handles at once
        keeps_ten_million_handles: too_many_calls: it held more than 1000 handles at once
        drops_a_handle_twice: trap: unknown handle index 1 [canonical_abi]
        uses_a_dropped_handle: trap: unknown handle index 1 [canonical_abi]
        uses_a_handle_of_another_type: trap: handle index 1 used with the wrong type, expected guest-defined resource but found a different guest-defined resource [canonical_abi]
        uses_a_made_up_handle: trap: unknown handle index 1234567 [canonical_abi]
        ");
    });
}

#[test]
fn a_list_of_handles_is_bounded_by_its_bytes_and_its_handles() {
    alone(|| {
        let poll = "(i32.const 64) (i32.const 16) (i32.const 56)";
        let list = |list: &str| guest::changed("polls_a_list_of_timers", &[(poll, &format!("{list} (i32.const 56)"))]);
        let cases = [
            ("one timer, 16 times", guest::named("polls_a_list_of_timers")),
            ("one timer, 900 times", list("(i32.const 64) (i32.const 900)")),
            ("one timer, 2,000 times", list("(i32.const 64) (i32.const 2000)")),
            ("400 kB of handles", list("(i32.const 64) (i32.const 100000)")),
            ("800 kB of handles", list("(i32.const 64) (i32.const 200000)")),
            ("no timer", list("(i32.const 64) (i32.const 0)")),
            ("more than there are", list("(i32.const 64) (i32.const 0x3fffffff)")),
            ("more than can be", list("(i32.const 64) (i32.const -1)")),
            ("at an odd address", list("(i32.const 65) (i32.const 16)")),
            ("no handles", list("(i32.const 0) (i32.const 4)")),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @r#"
        one timer, 16 times: reply {"status":true,"response":["ok"]}
        one timer, 900 times: reply {"status":true,"response":["ok"]}
        one timer, 2,000 times: too_many_calls: it held more than 1000 handles at once
        400 kB of handles: too_many_calls: it held more than 1000 handles at once
        800 kB of handles: too_many_calls: it handed more than 2.0 MiB to the host in one call
        no timer: trap: empty poll list [canonical_abi]
        more than there are: trap: list pointer/length out of bounds of memory [canonical_abi]
        more than can be: trap: list pointer/length out of bounds of memory [canonical_abi]
        at an odd address: trap: list pointer is not aligned [canonical_abi]
        no handles: trap: unknown handle index 0 [canonical_abi]
        "#);
    });
}

#[test]
fn no_length_makes_the_host_allocate_as_much() {
    alone(|| {
        let streams = |from: &str, to: &str| guest::changed("writes_and_reads_at_once", &[(from, to)]);
        let much = "(i64.const -1)";
        let cases = [
            ("within bounds", guest::named("writes_and_reads_at_once")),
            ("read", streams("(i64.const 1)", much)),
            ("skip", streams("(i64.const 2)", much)),
            ("splice", streams("(i64.const 3)", much)),
            ("write 1 MiB", streams("(i32.const 4)", "(i32.const 0x100000)")),
            ("write 3 MiB", streams("(i32.const 4)", "(i32.const 0x300000)")),
            ("write 2 GiB", streams("(i32.const 4)", "(i32.const 0x7fffffff)")),
            ("write and flush", streams("(i32.const 5)", "(i32.const 5000)")),
            ("zeroes", streams("(i64.const 6)", much)),
            ("zeroes and flush", streams("(i64.const 7)", much)),
            ("random bytes", streams("(i64.const 8)", much)),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @r#"
        within bounds: reply {"status":true,"response":["ok"]}
        read: reply {"status":true,"response":["ok"]}
        skip: reply {"status":true,"response":["ok"]}
        splice: reply {"status":true,"response":["ok"]}
        write 1 MiB: reply {"status":true,"response":["ok"]}
        write 3 MiB: too_many_calls: it handed more than 2.0 MiB to the host in one call
        write 2 GiB: trap: list pointer/length out of bounds of memory [canonical_abi]
        write and flush: trap: Buffer too large for blocking-write-and-flush (expected at most 4096) [canonical_abi]
        zeroes: trap: cannot write more zeroes than `check_write` allows [canonical_abi]
        zeroes and flush: trap: Buffer too large for blocking-write-zeroes-and-flush (expected at most 4096) [canonical_abi]
        random bytes: too_many_calls: it asked for more than 64.0 KiB of random bytes in one call
        "#);
    });
}

#[test]
fn what_a_guest_hands_to_the_host_is_bounded_and_checked() {
    alone(|| {
        let cases = [
            ("logs_ten_megabytes_at_once", SHORT),
            ("logs_more_than_is_kept", SHORT),
            ("logs_a_string_out_of_bounds", SHORT),
            ("logs_at_no_level", SHORT),
            ("asks_for_much_randomness", SHORT),
        ];
        insta::assert_snapshot!(verdicts(&cases), @r#"
        logs_ten_megabytes_at_once: too_many_calls: it handed more than 2.0 MiB to the host in one call
        logs_more_than_is_kept: reply {"status":true,"response":["ok"]}
        logs_a_string_out_of_bounds: trap: string pointer/length out of bounds of memory [canonical_abi]
        logs_at_no_level: trap: unexpected discriminant: 99 [canonical_abi]
        asks_for_much_randomness: too_many_calls: it asked for more than 64.0 KiB of random bytes in one call
        "#);
    });
}

#[test]
fn a_log_ends_at_its_limit_and_counts_what_it_left_out() {
    let house = House::open();
    let run = house.try_out("logs_more_than_is_kept", &SHORT);
    assert_eq!((run.usage.log_bytes, run.log.lines.len()), (64 << 10, 64), "{:?}", run.usage);
    assert_eq!(run.log.dropped_bytes, (200 - 64) << 10);
}

#[test]
fn an_error_of_the_handler_is_kept_as_one_line_of_bounded_length() {
    let house = House::open();
    let run = house.try_out("returns_a_megabyte_of_error", &SHORT);
    let Outcome::BotBreak(broken) = &run.outcome else { panic!("{run:?}") };
    assert_eq!((broken.cause, broken.detail.len()), (Cause::Exception, 1024 + "…".len()));
    assert!(broken.detail.starts_with("xxx") && broken.detail.ends_with("x…"), "{}", broken.detail);
}
