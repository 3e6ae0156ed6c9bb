use std::path::Path;

use serde_json::{Map, Value, json};

use crate::Event;

/// Begins an event for this node, in the platform's form of 2018; the other parts are added by name.
pub fn event(node: &str) -> EventBuilder {
    let mut json = Map::new();
    json.insert("node".into(), node.into());
    json.insert("event".into(), "API_INTEGRATION".into());
    json.insert("user".into(), json!({"user_name": "u-1", "full_name": "", "device_platform": 5}));
    json.insert("entities".into(), json!({}));
    EventBuilder { json }
}

/// Reads an event from a JSON file; a relative path starts at the crate's directory, where `cargo test` runs.
///
/// # Panics
/// The file cannot be read, or does not hold an event.
#[track_caller]
pub fn event_file(path: impl AsRef<Path>) -> Event {
    let path = path.as_ref();
    match std::fs::read_to_string(path) {
        Ok(json) => parse(&json),
        Err(error) => fail(&format!("cannot read {}: {error}", path.display())),
    }
}

/// An event in the making: the platform's JSON, read by the same code as in the sandbox.
#[derive(Clone, Debug)]
pub struct EventBuilder {
    json: Map<String, Value>,
}

impl EventBuilder {
    /// One more value of an entity, detected in the user's message: a string, or [`json!`](crate::json) for the object shapes.
    pub fn entity(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let original_text = value.as_str().unwrap_or_default().to_owned();
        let entity = json!({"detection": "message", "original_text": original_text, "entity_value": value});
        if let Some(values) = self.part("entities").entry(name).or_insert_with(|| json!([])).as_array_mut() {
            values.push(entity);
        }
        self
    }

    /// A key of `user`, such as `full_name`.
    pub fn user(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.part("user").insert(key.into(), value.into());
        self
    }

    /// The chat's language: `user.language_code`.
    pub fn language(self, code: &str) -> Self {
        self.user("language_code", code)
    }

    /// Something that is kept for the conversation.
    pub fn conversation_detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.part("conversation_details").insert(key.into(), value.into());
        self
    }

    /// Something that is kept for the user.
    pub fn user_detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.part("user_details").insert(key.into(), value.into());
        self
    }

    /// A setting of the bot.
    pub fn env(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.part("env_variables").insert(key.into(), value.into());
        self
    }

    /// Any key at the top of the event.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.json.insert(key.into(), value.into());
        self
    }

    /// The event.
    ///
    /// # Panics
    /// [`EventBuilder::with`] has put something where it cannot be.
    #[track_caller]
    pub fn build(self) -> Event {
        parse(&Value::Object(self.json).to_string())
    }

    fn part(&mut self, name: &str) -> &mut Map<String, Value> {
        let part = self.json.entry(name).or_insert_with(|| json!({}));
        part.as_object_mut().unwrap_or_else(|| fail(&format!("`{name}` was set to something that is not an object")))
    }
}

impl From<EventBuilder> for Event {
    #[track_caller]
    fn from(builder: EventBuilder) -> Self {
        builder.build()
    }
}

#[track_caller]
fn parse(json: &str) -> Event {
    match Event::parse(json) {
        Ok(event) => event,
        Err(error) => fail(error.message()),
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a helper of unit tests: its failure is the test's")]
pub(super) fn fail(message: &str) -> ! {
    panic!("{message}")
}
