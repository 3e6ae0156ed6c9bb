//! Corpus D: what a command writes is a reply, or it is told why not.

use std::fmt::Write as _;

use model::{Limits, Outcome};

use super::{IMPATIENT, SHORT, verdicts, verdicts_on};
use crate::support::{House, alone, guest};

#[test]
fn how_a_command_ends_decides_before_what_it_wrote() {
    alone(|| {
        let cases = [
            ("command_says_nothing", SHORT),
            ("command_replies_and_exits", SHORT),
            ("command_replies_and_fails", SHORT),
            ("command_exits_with_42", SHORT),
            ("command_exits_with_a_code_out_of_range", SHORT),
            ("command_breaks_off_with_a_trap", SHORT),
            ("command_breaks_off_to_sleep", IMPATIENT),
            ("command_floods_its_output", SHORT),
            ("command_floods_its_errors", Limits { cpu_time: IMPATIENT.cpu_time, ..SHORT }),
        ];
        insta::assert_snapshot!(verdicts(&cases), @r#"
        command_says_nothing: reply_empty: the reply has no message: the handler wrote nothing
        command_replies_and_exits: reply {"status":true,"response":["ok"]}
        command_replies_and_fails: exit: it exited with a failure code
        command_exits_with_42: exit: it exited with code 42
        command_exits_with_a_code_out_of_range: exit: it exited with a code above 125
        command_breaks_off_with_a_trap: trap: wasm `unreachable` instruction executed [unreachable_code_reached]
        command_breaks_off_to_sleep: out_of_time: it did not answer within 200ms
        command_floods_its_output: reply_too_large: the reply is larger than 256.0 KiB
        command_floods_its_errors: reply {"status":true,"response":["ok"]}
        "#);
    });
}

#[test]
fn an_exit_code_is_told_only_where_it_is_known() {
    alone(|| {
        let exits = |how: &str| guest::changed("exits_with_a_code", &[("(call $exit_with_code (i32.const 7))", how)]);
        let cases = [
            ("exit-with-code 7", guest::named("exits_with_a_code")),
            ("exit-with-code 255", exits("(call $exit_with_code (i32.const 255))")),
            ("exit-with-code 263", exits("(call $exit_with_code (i32.const 263))")),
            ("exit-with-code 1", exits("(call $exit_with_code (i32.const 1))")),
            ("exit-with-code 0", exits("(call $exit_with_code (i32.const 0))")),
            ("exit with an error", exits("(call $exit (i32.const 1))")),
            ("exit well, without a reply", exits("(call $exit (i32.const 0))")),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @"
        exit-with-code 7: exit: it exited with code 7
        exit-with-code 255: exit: it exited with code 255
        exit-with-code 263: exit: it exited with code 7
        exit-with-code 1: exit: it exited with a failure code
        exit-with-code 0: exit: it exited instead of returning its reply
        exit with an error: exit: it exited with a failure code
        exit well, without a reply: exit: it exited instead of returning its reply
        ");
    });
}

#[test]
fn what_is_no_reply_is_told_why() {
    alone(|| {
        let cases = [
            ("white space", guest::printing(b" \n\t")),
            ("half", guest::printing(br#"{"response":["ok""#)),
            ("not UTF-8", guest::printing(b"{\"response\":[\"\xff\"]}")),
            ("a byte order mark", guest::printing("\u{feff}{\"response\":[\"ok\"]}".as_bytes())),
            ("UTF-16", guest::printing(b"{\0\"\0r\0")),
            ("NaN", guest::printing(br#"{"response":["ok"],"x":NaN}"#)),
            ("Infinity", guest::printing(br#"{"response":["ok"],"x":-Infinity}"#)),
            ("two replies", guest::printing(br#"{"response":["ok"]}{"response":["ok"]}"#)),
            ("our key twice", guest::printing(br#"{"response":["a"],"response":["b"]}"#)),
            ("NUL", guest::printing(br#"{"response":["a\u0000b"]}"#)),
            (
                "129 deep",
                guest::printing(
                    format!("{{\"response\":[\"ok\"],\"x\":{}{}}}", "[".repeat(128), "]".repeat(128)).as_bytes(),
                ),
            ),
            ("no message", guest::printing(br#"{"response":[]}"#)),
            ("a list", guest::printing(br#"["ok"]"#)),
            ("a number as a message", guest::printing(br#"{"response":[7]}"#)),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @r#"
        white space: reply_empty: the reply has no message: the handler wrote nothing
        half: reply_not_json: the reply is not valid JSON: EOF while parsing a list at line 1 column 17
        not UTF-8: reply_not_json: the reply is not UTF-8
        a byte order mark: reply_not_json: the reply is not valid JSON: expected value at line 1 column 1
        UTF-16: reply_not_json: the reply is not valid JSON: key must be a string at line 1 column 2
        NaN: reply_not_json: the reply is not valid JSON: expected value at line 1 column 24
        Infinity: reply_not_json: the reply is not valid JSON: invalid number at line 1 column 25
        two replies: reply_not_json: the reply is not valid JSON: trailing characters at line 1 column 20
        our key twice: reply_wrong_shape: the reply has the wrong shape: `response` stands twice
        NUL: reply_wrong_shape: the reply has the wrong shape: a string holds the character \u0000, which not every store can keep
        129 deep: reply_wrong_shape: the reply has the wrong shape: nested deeper than 128 levels
        no message: reply_empty: the reply has no message: `response` is an empty list
        a list: reply_wrong_shape: the reply has the wrong shape: invalid type: sequence, expected an object such as {"status":true,"response":["…"]}
        a number as a message: reply_wrong_shape: the reply has the wrong shape: `response[0]` is neither a string nor a message element
        "#);
    });
}

#[test]
fn what_we_do_not_know_passes_through_byte_for_byte() {
    let house = House::open();
    let digits = "7".repeat(400);
    for reply in [
        r#"{"status":true,"response":["ok"],"x":123456789012345678901234567890,"y":1e999,"z":-0.10}"#,
        &format!(r#"{{"status":true,"response":["ok"],"x":{digits},"y":{digits}.{digits}e-{digits}}}"#),
        r#"{"status":false,"response":["ok"],"x":{"a":1,"a":2},"x":3}"#,
        r#"{ "response" : ["<script>alert(1)</script>\u2028\ud83d\ude0a"] , "status" : true }"#,
    ] {
        let run = house.run(&house.prepare(&guest::printing(reply.as_bytes())), &SHORT);
        assert!(matches!(&run.outcome, Outcome::Reply(out) if out.as_str() == reply), "{run:?}");
        assert_eq!(run.usage.reply_bytes, reply.len() as u64);
    }
}

#[test]
fn a_reply_may_be_as_large_as_its_limit_and_no_larger() {
    let house = House::open();
    let cap = usize::try_from(Limits::DEFAULT.reply_bytes).unwrap();
    for (size, fits) in [(cap - 1, true), (cap, true), (cap + 1, false)] {
        let text = "x".repeat(size - r#"{"status":true,"response":[""]}"#.len());
        let reply = format!(r#"{{"status":true,"response":["{text}"]}}"#);
        assert_eq!(reply.len(), size);
        let run = house.run(&house.prepare(&guest::printing(reply.as_bytes())), &SHORT);
        match &run.outcome {
            Outcome::Reply(out) => assert!(fits && out.as_str() == reply, "{size} bytes"),
            Outcome::BotBreak(broken) => {
                assert!(!fits && broken.cause == model::Cause::ReplyTooLarge, "{size} bytes: {broken:?}");
            }
        }
    }
}

#[test]
fn many_small_things_in_a_reply_are_bounded_by_its_size() {
    let house = House::open();
    let limits = Limits { reply_bytes: Limits::CAPS.reply_bytes, ..Limits::DEFAULT };
    let list = format!(r#"{{"status":true,"response":["ok"],"x":[{}0]}}"#, "0,".repeat(1_000_000));
    let mut keys = String::from(r#"{"status":true,"response":["ok"]"#);
    (0..100_000).for_each(|key| write!(keys, ",\"k{key}\":0").unwrap());
    keys.push('}');
    let key = format!(r#"{{"status":true,"response":["ok"],"{}":0}}"#, "k".repeat(1_000_000));
    for reply in [list, keys, key] {
        let prepared = house.prepare(&guest::printing(reply.as_bytes()));
        let run = house.run(&prepared, &limits);
        assert!(matches!(&run.outcome, Outcome::Reply(out) if out.as_str() == reply), "{:?}", run.usage);
        let run = house.run(&prepared, &SHORT);
        assert!(
            matches!(&run.outcome, Outcome::BotBreak(broken) if broken.cause == model::Cause::ReplyTooLarge),
            "{:?}",
            run.usage
        );
    }
}
