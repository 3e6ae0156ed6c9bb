//! A quick look at a reply: nearly every one has the platform's form already, and then the one pass that its syntax takes is all that it is read.

use crate::json::Scanner;

/// The `status` of what is surely a reply in the platform's form: it stands there once, and so does `response`, a list of strings; and there are no
/// details, which have rules of their own. `None` for whatever else, in which a parser finds what there is to say.
pub(super) fn status(output: &str) -> Option<bool> {
    let mut scanner = Scanner::new(output);
    let (mut status, mut has_messages) = (None, false);
    if scanner.token()? != b'{' {
        return None;
    }
    loop {
        match scanner.plain_key()? {
            b"status" if status.is_none() => status = Some(scanner.boolean()?),
            b"response" if !has_messages => {
                messages(&mut scanner)?;
                has_messages = true;
            }
            b"status" | b"response" | b"conversation_details" | b"user_details" => return None,
            _ => scanner.value(1)?,
        }
        match scanner.token()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    scanner.end()?;
    status.filter(|_| has_messages)
}

/// A list of strings, at least one.
fn messages(scanner: &mut Scanner<'_>) -> Option<()> {
    if scanner.token()? != b'[' {
        return None;
    }
    loop {
        if scanner.token()? != b'"' {
            return None;
        }
        scanner.string()?;
        match scanner.token()? {
            b',' => {}
            b']' => return Some(()),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Reply;

    const KEYS: [&str; 7] =
        ["status", "response", "response", "st\\u0061tus", "\\ud800", "user_details", "conversation_details"];
    const VALUES: [&str; 14] = [
        "true",
        "false",
        "null",
        " [\"a\" , \"\\ud83d\" ] ",
        "[\"ü\\n\"]",
        "[]",
        "[\"a\",{\"type\":\"X\",\"text\":\"x\",\"data\":{}}]",
        "[1]",
        "\"a\"",
        "{\"a\":[{}]}",
        "1.5e3",
        "[\"\\u0000\"]",
        "[\"a\",]",
        "",
    ];

    proptest! {
        #[test]
        fn a_quick_look_and_a_close_one_see_the_same(
            entries in prop::collection::vec((prop::sample::select(&KEYS[..]), prop::sample::select(&VALUES[..])), 0..5),
            more in "[ ,}x]{0,1}",
        ) {
            let entries: Vec<String> = entries.into_iter().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
            let text = format!(" {{{}}}{more}", entries.join(", "));
            let closely = Reply::read_closely(text.clone(), None);
            if let Some(status) = status(&text) {
                let reply = closely.clone().unwrap();
                prop_assert_eq!((reply.as_str(), reply.status()), (text.as_str(), status));
            }
            prop_assert_eq!(Reply::parse(text), closely);
        }
    }

    #[test]
    fn what_has_the_platforms_form_is_seen_at_a_glance() {
        for (text, is_good) in [
            (r#"{"status":true,"response":["a"]}"#, true),
            (" { \"response\" : [ \"ü\\\"\" , \"\" ] , \"x\" : {\"response\":[1]} , \"status\" : false } \n", false),
        ] {
            assert_eq!(status(text), Some(is_good), "{text}");
        }
        let nested = |levels: usize| {
            format!(r#"{{"status":true,"response":["a"],"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels))
        };
        assert_eq!((status(&nested(127)), status(&nested(128))), (Some(true), None));
        for other in [
            "",
            "{}",
            "[]",
            r#"{"status":true}"#,
            r#"{"response":["a"]}"#,
            r#"{"status":true,"response":[]}"#,
            r#"{"status":true,"response":["a"],"user_details":{}}"#,
            r#"{"status":true,"response":["a"],"status":true}"#,
            r#"{"status":true,"response":["a"],}"#,
            r#"{"status":true,"response":["a"]}}"#,
            r#"{"status":1,"response":["a"]}"#,
        ] {
            assert_eq!(status(other), None, "{other}");
        }
    }
}
