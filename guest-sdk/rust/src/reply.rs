use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::Fields;
use crate::string::push_string;

/// What the bot answers: messages, whether the business step succeeded, and what to remember.
///
/// ```
/// use codenode::Reply;
///
/// let reply = Reply::text("Your order is on its way.").and("Anything else?").conversation_detail("order", "71");
/// assert_eq!(
///     reply.to_json(),
///     r#"{"status":true,"response":["Your order is on its way.","Anything else?"],"conversation_details":{"order":"71"}}"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    status: bool,
    messages: Vec<Message>,
    conversation_details: Fields,
    user_details: Fields,
    extra: Fields,
    raw: Option<String>,
}

impl Reply {
    /// A reply of one plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::empty().and(text.into())
    }

    /// A reply of one message: plain text, or one of the types in [`element`](crate::element).
    pub fn message(message: impl Into<Message>) -> Self {
        Self::empty().and(message)
    }

    /// A reply without a message. Add one: a reply that stays without is a bot break.
    pub const fn empty() -> Self {
        Self {
            status: true,
            messages: Vec::new(),
            conversation_details: Fields::new(),
            user_details: Fields::new(),
            extra: Fields::new(),
            raw: None,
        }
    }

    /// This text as the reply, byte for byte, for what the other functions cannot express. The host checks it like any reply;
    /// whatever else is added to it does not count.
    pub fn raw(json: impl Into<String>) -> Self {
        Self { raw: Some(json.into()), ..Self::empty() }
    }

    /// One more message, after the others.
    pub fn and(mut self, message: impl Into<Message>) -> Self {
        self.messages.push(message.into());
        self
    }

    /// Whether the business step succeeded; true unless this says otherwise. After `false`, the chat of an end node stays with the bot.
    pub const fn status(mut self, succeeded: bool) -> Self {
        self.status = succeeded;
        self
    }

    /// Something to keep for this conversation. It is kept once the run has succeeded: by the platform or, with the grant `state:conversation`, by
    /// codenode for three hours, which forgets what is null. The platform's usual cap is 2500 characters, and so is that of the node's limits.
    pub fn conversation_detail(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.conversation_details.set(name, value);
        self
    }

    /// Something to keep for this user: a string or a number. It is kept once the run has succeeded: by the platform or, with the grant
    /// `state:user`, by codenode, which forgets what is null. The platform's usual cap is 200 characters, and so is that of the node's limits.
    pub fn user_detail(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.user_details.set(name, value);
        self
    }

    /// A key of your own at the top of the reply, for later nodes to branch on. The names that a reply has already (`status`, `response`,
    /// `conversation_details`, `user_details`) are not free: the host refuses a reply in which one of them stands twice.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.set(name, value);
        self
    }

    /// The messages, in order.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// What [`Reply::status`] has set.
    pub const fn succeeded(&self) -> bool {
        self.status
    }

    /// The reply as the host gets it: an element stands as a string that holds its JSON, and details only where there are some.
    pub fn to_json(&self) -> String {
        match &self.raw {
            Some(json) => json.clone(),
            None => self.write(),
        }
    }

    /// As serde would write it, in half of the time: nearly all of a long reply is texts.
    fn write(&self) -> String {
        let texts = || self.messages.iter().map(Message::text);
        let mut json = String::with_capacity(64 + texts().map(|text| text.len() + 3).sum::<usize>());
        json.push_str(if self.status { r#"{"status":true,"response":["# } else { r#"{"status":false,"response":["# });
        for (at, text) in texts().enumerate() {
            if at > 0 {
                json.push(',');
            }
            push_string(&mut json, text);
        }
        json.push(']');
        let details = [("conversation_details", &self.conversation_details), ("user_details", &self.user_details)];
        for (name, details) in details.into_iter().filter(|(_, details)| !details.is_empty()) {
            push_entry(&mut json, name, details);
        }
        self.extra.iter().for_each(|(name, value)| push_entry(&mut json, name, value));
        json.push('}');
        json
    }
}

/// An element is a reply of one message; so is a text.
impl<M: Into<Message>> From<M> for Reply {
    fn from(message: M) -> Self {
        Self::message(message)
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("response", &self.messages)?;
        for (name, details) in
            [("conversation_details", &self.conversation_details), ("user_details", &self.user_details)]
        {
            if !details.is_empty() {
                map.serialize_entry(name, details)?;
            }
        }
        for (name, value) in self.extra.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// One message: plain text, or a message element. A string becomes text; the types in [`element`](crate::element) become elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(Content);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Text(String),
    /// JSON already, so that a handler without elements carries no code to write them.
    Element(String),
}

impl Message {
    /// An element that has no type here, such as `SYSTEM`: an object with `type`, `text` and `data`. The host checks it.
    pub fn element(element: impl Into<Value>) -> Self {
        Self::from_element(&element.into())
    }

    /// The text of a plain message; none for an element.
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Content::Text(text) => Some(text),
            Content::Element(_) => None,
        }
    }

    /// The element as JSON; none for plain text.
    pub fn as_element(&self) -> Option<Value> {
        match &self.0 {
            Content::Text(_) => None,
            Content::Element(json) => serde_json::from_str(json).ok(),
        }
    }

    /// What stands in the reply: an element is a string there, too.
    fn text(&self) -> &str {
        let (Content::Text(text) | Content::Element(text)) = &self.0;
        text
    }

    pub(crate) fn from_element(element: &impl Serialize) -> Self {
        Self(Content::Element(json_text(element)))
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self(Content::Text(text))
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self(Content::Text(text.to_owned()))
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// Appends `,"name":value`.
fn push_entry(json: &mut String, name: &str, value: &impl Serialize) {
    json.push(',');
    push_string(json, name);
    json.push(':');
    json.push_str(&json_text(value));
}

/// Writing cannot fail: our types have string keys and write into memory. Were it otherwise, the host would say that the reply is empty.
fn json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_is_written_in_the_platforms_form() {
        let reply = Reply::text("नमस्ते \"आशा\"")
            .and(Message::element(json!({"type": "SYSTEM", "data": {"event_name": "chat_complete"}})))
            .status(false)
            .user_detail("visits", 2)
            .conversation_detail("a", "x")
            .conversation_detail("a", "y")
            .with("next", "PAYMENT");
        assert_eq!(
            reply.to_json(),
            r#"{"status":false,"response":["नमस्ते \"आशा\"","{\"data\":{\"event_name\":\"chat_complete\"},\"type\":\"SYSTEM\"}"],"conversation_details":{"a":"y"},"user_details":{"visits":2},"next":"PAYMENT"}"#
        );
        assert_eq!(reply.to_json(), json_text(&reply), "as serde writes it");
        assert_eq!(reply.messages()[0].as_text(), Some("नमस्ते \"आशा\""));
        assert_eq!(reply.messages()[1].as_element().unwrap()["type"], "SYSTEM");
        assert!(!reply.succeeded());
    }

    #[test]
    fn a_raw_reply_is_left_alone() {
        assert_eq!(Reply::raw("{not json").and("more").to_json(), "{not json");
        assert_eq!(Reply::empty().to_json(), r#"{"status":true,"response":[]}"#);
    }
}
