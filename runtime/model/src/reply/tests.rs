use super::*;

fn parse(text: &str) -> Result<Reply, ReplyError> {
    Reply::parse(text.to_owned())
}

#[test]
fn a_reply_in_the_platforms_form_is_kept_byte_for_byte() {
    let text = "{ \"status\": false, \"response\": [\"\\u0939\\u093f\", \"😊\"], \"z\":1.50, \"a\":123456789012345678901234567890 }\n";
    let reply = parse(text).unwrap();
    assert_eq!(reply.as_str(), text);
    assert!(!reply.status());
}

#[test]
fn elements_become_strings_and_status_is_written_out() {
    let reply = parse(
        r#"{"response":["hi",{"type":"BUTTON","text":"Pick \"one\"","data":{"items":[]}}],"user_details":{"n":1e400},"x":null}"#,
    );
    assert_eq!(
        reply.unwrap().as_str(),
        r#"{"status":true,"response":["hi","{\"type\":\"BUTTON\",\"text\":\"Pick \\\"one\\\"\",\"data\":{\"items\":[]}}"],"user_details":{"n":1e400},"x":null}"#
    );
}

#[test]
fn a_reply_without_a_message_is_empty() {
    for text in ["", " \n", "{}", r#"{"response":[]}"#, r#"{"response":null,"status":true}"#] {
        assert!(matches!(parse(text), Err(ReplyError::Empty(_))), "{text:?}");
    }
}

#[test]
fn a_reply_of_another_shape_is_told_what_is_wrong() {
    for (text, why) in [
        (r#"[]"#, "invalid type: sequence, expected an object such as {\"status\":true,\"response\":[\"…\"]}"),
        (r#"{"response":"hi"}"#, "`response` must be a list of messages"),
        (r#"{"response":[1]}"#, "`response[0]` is neither a string nor a message element"),
        (
            r#"{"response":["a",{"text":"x"}]}"#,
            "`response[1]` is not a message element: missing field `type` at line 1 column 12",
        ),
        (r#"{"response":["a"],"status":1}"#, "`status` must be true or false"),
        (r#"{"response":["a"],"response":["b"]}"#, "`response` stands twice"),
        (r#"{"response":["a"],"user_details":[]}"#, "`user_details` must be an object"),
        (r#"{"response":["\u0000"]}"#, "a string holds the character \\u0000, which not every store can keep"),
    ] {
        assert_eq!(parse(text), Err(ReplyError::WrongShape(why.to_owned())), "{text}");
    }
}

#[test]
fn details_that_a_platform_would_cut_are_told() {
    let limits = Limits { conversation_value_chars: 5, user_value_chars: 3, ..Limits::DEFAULT };
    let within =
        |details: &str| Reply::parse_within(format!(r#"{{"status":true,"response":["a"],{details}}}"#), &limits);
    for good in [
        r#""user_details":{"a":"\u0939ü😊","b":123,"c":-1,"d":null,"e":"","f":"\ud83d\ude22\n\""}"#,
        r#""user_details":null,"conversation_details":{}"#,
        r#""conversation_details":{"a":"12345","b":[1,2],"c":true,"d":{},"f":[  ]}"#,
    ] {
        assert!(within(good).is_ok(), "{good}: {:?}", within(good));
    }
    for (bad, why) in [
        (
            r#""user_details":{"ok":1,"bio":"1234"}"#,
            "`user_details.bio` has 4 characters, and the most is 3: shorten it, or raise the node's limit `user_value_chars`",
        ),
        (r#""user_details":{"n":1234}"#, "`user_details.n` has 4 characters"),
        (
            r#""user_details":{"v\n":true}"#,
            "`user_details.v\\n` is true or false, and details of users are strings or numbers: write it as a string",
        ),
        (r#""user_details":{"v":{}}"#, "`user_details.v` is an object"),
        (r#""user_details":{"v":[]}"#, "`user_details.v` is a list"),
        (
            r#""conversation_details":{"order":{"a":1}}"#,
            "`conversation_details.order` has 7 characters, and the most is 5: shorten it, or raise the node's limit `conversation_value_chars`",
        ),
        (r#""conversation_details":{"a":"12345\u0939"}"#, "has 6 characters"),
    ] {
        let ReplyError::WrongShape(told) = within(bad).unwrap_err() else { panic!("{bad}") };
        assert!(told.contains(why), "{bad}: {told}");
        assert!(parse(&format!(r#"{{"response":["a"],{bad}}}"#)).is_ok(), "a reply of before stays readable: {bad}");
    }
}

#[test]
fn what_a_reply_changes_is_found_as_it_was_written() {
    let reply = parse(r#"{"response":[{"type":"SYSTEM","text":"x","data":{}}],"user_details": {"n":1.50, "x":null} ,"conversation_details":null}"#).unwrap();
    assert_eq!(reply.details(Details::User), Some(r#"{"n":1.50, "x":null}"#));
    assert_eq!(reply.details(Details::Conversation), None);
}

#[test]
fn a_reply_of_very_many_keys_is_read_in_no_time() {
    let keys: Vec<String> = (0..400_000).map(|at| format!(r#""{at}":1"#)).collect();
    let text = format!(r#"{{"response":["a"],{}}}"#, keys.join(","));
    let started = std::time::Instant::now();
    assert!(parse(&text).is_ok());
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn what_is_not_json_says_where() {
    let error = parse("{\"response\": [NaN]}").unwrap_err();
    assert_eq!(error.to_string(), "the reply is not valid JSON: expected value at line 1 column 15");
}

#[test]
fn messages_read_as_a_chat_would_show_them() {
    let reply = parse(
        r#"{"response":["{not an element", {"type":"CAROUSEL","text":"Two","data":{"items":[{"title":"A","actionables":[{"actionable_text":"Buy"}]},{"title":"B"}]}}]}"#,
    );
    assert_eq!(
        reply.unwrap().messages(),
        [
            Message::Text("{not an element".into()),
            Message::Element {
                kind: "CAROUSEL".into(),
                text: "Two".into(),
                choices: vec!["A".into(), "  Buy".into(), "B".into()]
            },
        ]
    );
}
