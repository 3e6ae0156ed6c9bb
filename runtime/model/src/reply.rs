mod plain;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Array, Object, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::element::Element;
use crate::json::{self, JsonError};
use crate::members::{Key, push_string};
use crate::{Details, Limits, Message};

/// A handler's reply, checked and in the form that the platform takes.
///
/// Numbers, key order and keys that we don't know are as the handler wrote them. A key of ours that stands twice is refused; in the parts that
/// only pass through, duplicates pass through.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    json: String,
    status: bool,
}

/// Why an output is not a reply. The text is for the author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Not UTF-8, or not JSON.
    #[error("the reply is not valid JSON: {0}")]
    NotJson(String),
    /// JSON of another shape.
    #[error("the reply has the wrong shape: {0}")]
    WrongShape(String),
    /// No output, or no message in it.
    #[error("the reply has no message: {0}")]
    Empty(&'static str),
}

impl From<JsonError> for ReplyError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Syntax(_) => Self::NotJson(error.to_string()),
            JsonError::TooDeep | JsonError::Nul => Self::WrongShape(error.to_string()),
        }
    }
}

impl Reply {
    /// Checks what a guest answered, and brings it into the platform's form: `status` written out, every message a string (an element becomes
    /// a string that holds its JSON). A reply that has this form already is kept byte for byte.
    ///
    /// # Errors
    /// [`ReplyError`] says what is wrong, and where.
    pub fn parse(output: String) -> Result<Self, ReplyError> {
        Self::read(output, None)
    }

    /// The same for a reply that is just given, whose details must also be such as the node's limits allow.
    ///
    /// # Errors
    /// As [`Reply::parse`].
    pub fn parse_within(output: String, limits: &Limits) -> Result<Self, ReplyError> {
        Self::read(output, Some(limits))
    }

    fn read(output: String, limits: Option<&Limits>) -> Result<Self, ReplyError> {
        match plain::status(&output) {
            Some(status) => Ok(Self { json: output, status }),
            None => Self::read_closely(output, limits),
        }
    }

    fn read_closely(output: String, limits: Option<&Limits>) -> Result<Self, ReplyError> {
        if output.trim_ascii().is_empty() {
            return Err(ReplyError::Empty("the handler wrote nothing"));
        }
        json::check(&output)?;
        let shape: Shape<'_> = serde_json::from_str(&output).map_err(|error| wrong_shape(&error))?;
        let items = shape.messages()?;
        let status = shape.status()?;
        limits.map_or(Ok(()), |limits| shape.check_details(limits))?;
        let plain = items.iter().all(|item| item.get().starts_with('"'));
        if plain && shape.status.is_some() {
            drop((shape, items));
            return Ok(Self { json: output, status });
        }
        Ok(Self { json: shape.normalised(&items)?, status })
    }

    /// The JSON text for the platform.
    pub fn as_str(&self) -> &str {
        &self.json
    }

    /// Whether the business step succeeded; true where the handler did not say.
    pub const fn status(&self) -> bool {
        self.status
    }

    /// The reply as a record shows it: this text, from which secrets were taken. Where it is no reply any more, nothing is shown of it.
    #[must_use]
    pub fn redacted(&self, json: String) -> Self {
        let nothing = || format!(r#"{{"status":{},"response":["[redacted]"]}}"#, self.status);
        Self::parse(json).unwrap_or_else(|_| Self { json: nothing(), status: self.status })
    }

    /// What it changes of these details: a JSON object.
    pub fn details(&self, of: Details) -> Option<&str> {
        #[derive(serde::Deserialize)]
        struct All<'a> {
            #[serde(borrow)]
            conversation_details: Option<&'a RawValue>,
            #[serde(borrow)]
            user_details: Option<&'a RawValue>,
        }
        // A `Reply` always has this shape; were it otherwise, nothing would be changed.
        let all = serde_json::from_str::<All<'_>>(&self.json).ok()?;
        let details = match of {
            Details::Conversation => all.conversation_details,
            Details::User => all.user_details,
        };
        details.map(RawValue::get)
    }

    /// The messages, as a chat would show them.
    pub fn messages(&self) -> Vec<Message> {
        #[derive(serde::Deserialize)]
        struct Messages {
            response: Vec<String>,
        }
        // A `Reply` always has this shape; were it otherwise, there would be nothing to show.
        let read = serde_json::from_str::<Messages>(&self.json).map(|reply| reply.response);
        read.unwrap_or_default().into_iter().map(Message::read).collect()
    }
}

/// A reply serialises as the JSON that it is.
impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.json).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl PartialSchema for Reply {
    fn schema() -> RefOr<Schema> {
        Object::builder()
            .schema_type(Type::Object)
            .description(Some(
                "A handler's reply in the form that the platform takes; further keys are as the handler wrote them.",
            ))
            .property("status", bool::schema())
            .required("status")
            .property("response", Array::new(String::schema()))
            .required("response")
            .into()
    }
}

impl ToSchema for Reply {}

/// The top level of a reply: every entry in order, ours known by name.
struct Shape<'a> {
    entries: Vec<(Cow<'a, str>, &'a RawValue)>,
    status: Option<&'a RawValue>,
    response: Option<&'a RawValue>,
    conversation_details: Option<&'a RawValue>,
    user_details: Option<&'a RawValue>,
}

impl<'a> Shape<'a> {
    fn messages(&self) -> Result<Vec<&'a RawValue>, ReplyError> {
        let Some(response) = self.response.filter(|value| value.get() != "null") else {
            return Err(ReplyError::Empty("`response` is absent"));
        };
        let items: Vec<&RawValue> = serde_json::from_str(response.get())
            .map_err(|_| ReplyError::WrongShape("`response` must be a list of messages".into()))?;
        if items.is_empty() {
            return Err(ReplyError::Empty("`response` is an empty list"));
        }
        Ok(items)
    }

    fn status(&self) -> Result<bool, ReplyError> {
        match self.status.map(RawValue::get) {
            None | Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(ReplyError::WrongShape("`status` must be true or false".into())),
        }
    }

    fn check_details(&self, limits: &Limits) -> Result<(), ReplyError> {
        let all = [(Details::Conversation, self.conversation_details), (Details::User, self.user_details)];
        let mut given = all.into_iter().filter_map(|(of, details)| Some((of, details?)));
        given.try_for_each(|(of, details)| of.check(details, limits)).map_err(ReplyError::WrongShape)
    }

    fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(seen, _)| seen == key)
    }

    /// The reply rebuilt around the messages; all else is spliced in as it was written.
    fn normalised(&self, items: &[&'a RawValue]) -> Result<String, ReplyError> {
        let mut json = String::from("{");
        if self.status.is_none() {
            json.push_str("\"status\":true");
        }
        for (key, value) in &self.entries {
            if json.len() > 1 {
                json.push(',');
            }
            push_string(&mut json, key);
            json.push(':');
            if key == "response" { push_messages(&mut json, items)? } else { json.push_str(value.get()) }
        }
        json.push('}');
        Ok(json)
    }
}

fn push_messages(json: &mut String, items: &[&RawValue]) -> Result<(), ReplyError> {
    json.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        let text = item.get();
        if text.starts_with('"') {
            json.push_str(text);
        } else if text.starts_with('{') {
            Element::parse(text)
                .map_err(|why| ReplyError::WrongShape(format!("`response[{at}]` is not a message element: {why}")))?;
            push_string(json, text);
        } else {
            return Err(ReplyError::WrongShape(format!("`response[{at}]` is neither a string nor a message element")));
        }
    }
    json.push(']');
    Ok(())
}

/// serde's message without its position, which counts in a text that the author never sees whole.
fn wrong_shape(error: &serde_json::Error) -> ReplyError {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    ReplyError::WrongShape(text.to_owned())
}

impl<'de> Deserialize<'de> for Shape<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object such as {\"status\":true,\"response\":[\"…\"]}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape<'de>, A::Error> {
        let mut shape = Shape {
            entries: Vec::with_capacity(4),
            status: None,
            response: None,
            conversation_details: None,
            user_details: None,
        };
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            match key.as_ref() {
                // Asked for our own keys only: a reply may have very many others.
                "status" | "response" | "conversation_details" | "user_details" if shape.has(&key) => {
                    return Err(A::Error::custom(format_args!("`{key}` stands twice")));
                }
                "conversation_details" | "user_details" if !value.get().starts_with('{') && value.get() != "null" => {
                    return Err(A::Error::custom(format_args!("`{key}` must be an object")));
                }
                "status" => shape.status = Some(value),
                "response" => shape.response = Some(value),
                "conversation_details" => shape.conversation_details = Some(value),
                "user_details" => shape.user_details = Some(value),
                _ => {}
            }
            shape.entries.push((key, value));
        }
        Ok(shape)
    }
}

#[cfg(test)]
mod tests;
