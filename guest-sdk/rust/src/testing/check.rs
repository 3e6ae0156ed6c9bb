use serde_json::Value;

use crate::{Error, Reply};

/// The reply, if the host would take it; else why not, in the host's words. Limits are not held against it.
pub(super) fn checked(reply: Reply) -> Result<Reply, Error> {
    let json = reply.to_json();
    if json.trim().is_empty() {
        return Err(Error::new("the reply has no message: the handler wrote nothing"));
    }
    let given: Value = serde_json::from_str(&json)
        .map_err(|error| Error::new(format_args!("the reply is not valid JSON: {error}")))?;
    let messages = match given.get("response") {
        None | Some(Value::Null) => return Err(Error::new("the reply has no message: `response` is absent")),
        Some(response) => response.as_array().ok_or_else(|| wrong("`response` must be a list of messages"))?,
    };
    if messages.is_empty() {
        return Err(Error::new("the reply has no message: `response` is an empty list"));
    }
    if given.get("status").is_some_and(|status| !status.is_boolean()) {
        return Err(wrong("`status` must be true or false"));
    }
    messages.iter().enumerate().try_for_each(|(at, message)| check_message(at, message))?;
    Ok(reply)
}

fn check_message(at: usize, message: &Value) -> Result<(), Error> {
    let why = match message {
        Value::String(_) => return Ok(()),
        Value::Object(_) => match why_no_element(message) {
            Some(why) => format!("`response[{at}]` is not a message element: {why}"),
            None => return Ok(()),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            format!("`response[{at}]` is neither a string nor a message element")
        }
    };
    Err(wrong(&why))
}

fn why_no_element(element: &Value) -> Option<&'static str> {
    let kind = match element.get("type") {
        None => return Some("missing field `type`"),
        Some(kind) => kind.as_str(),
    };
    let is_text = |name| element.get(name).is_none_or(|text| text.is_null() || text.is_string());
    match kind {
        None => Some("its `type` is not a string"),
        Some("") => Some("its `type` is empty"),
        Some(_) if !is_text("text") => Some("its `text` is not a string"),
        Some(_) if !is_text("title") => Some("its `title` is not a string"),
        Some(_) => {
            let is_good = element.get("data").is_none_or(|data| data.is_null() || data.is_object());
            (!is_good).then_some("its `data` is not an object")
        }
    }
}

fn wrong(why: &str) -> Error {
    Error::new(format_args!("the reply has the wrong shape: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_would_not_take_is_told_in_its_words() {
        let why = |reply: Reply| checked(reply).unwrap_err().message().to_owned();
        assert_eq!(why(Reply::empty()), "the reply has no message: `response` is an empty list");
        for (json, said) in [
            (" ", "the reply has no message: the handler wrote nothing"),
            ("{}", "the reply has no message: `response` is absent"),
            (r#"{"response":"a"}"#, "the reply has the wrong shape: `response` must be a list of messages"),
            (
                r#"{"response":["a",7]}"#,
                "the reply has the wrong shape: `response[1]` is neither a string nor a message element",
            ),
            (
                r#"{"response":[{"text":"a"}]}"#,
                "the reply has the wrong shape: `response[0]` is not a message element: missing field `type`",
            ),
            (
                r#"{"response":[{"type":"A","data":1}]}"#,
                "the reply has the wrong shape: `response[0]` is not a message element: its `data` is not an object",
            ),
            (r#"{"response":["a"],"status":1}"#, "the reply has the wrong shape: `status` must be true or false"),
        ] {
            assert_eq!(why(Reply::raw(json)), said);
        }
        assert!(why(Reply::raw("{")).starts_with("the reply is not valid JSON: "));
        let fine = Reply::raw(r#"{"response":["a",{"type":"SILENT","text":null,"data":{}}]}"#);
        assert_eq!(checked(fine.clone()).unwrap(), fine);
    }
}
