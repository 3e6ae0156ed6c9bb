//! What is asked of every language: an event, and what must come of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::Cause;
use serde_json::{Value, json};

use super::{Services, Tried};

/// One row of the matrix.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// The entity by which each handler is told what to do.
    way: &'static str,
    /// The entity `name`, if the event has one.
    named: Option<String>,
    /// Where the event says that the service is.
    service: fn(&Services) -> String,
    pub(super) expected: Expected,
}

pub(super) enum Expected {
    /// A reply with these members; others do not matter.
    Replies(Value),
    /// A bot break.
    Breaks(Cause),
    /// Two replies in a row of which this is true.
    Holds(fn(&Tried, &Tried) -> bool),
}

impl Case {
    fn named(mut self, name: &str) -> Self {
        self.named = Some(name.to_owned());
        self
    }

    fn with_service(mut self, service: fn(&Services) -> String) -> Self {
        self.service = service;
        self
    }

    fn replies(self, reply: Value) -> Self {
        Self { expected: Expected::Replies(reply), ..self }
    }

    fn says(self, text: &str) -> Self {
        self.replies(json!({ "response": [text] }))
    }

    fn breaks(self, cause: Cause) -> Self {
        Self { expected: Expected::Breaks(cause), ..self }
    }

    fn holds(self, check: fn(&Tried, &Tried) -> bool) -> Self {
        Self { expected: Expected::Holds(check), ..self }
    }

    /// The event, of a user of the language's own.
    pub(super) fn event(&self, language: &str, services: &Services) -> Vec<u8> {
        let entity = |value: Value| json!([{ "detection": "message", "original_text": "", "entity_value": value }]);
        let mut event = json!({
            "node": "N", "event": "API_INTEGRATION", "conversation_no": 1,
            "user": { "user_id": language, "user_name": "u1", "full_name": "", "device_platform": 5, "language_code": "hi" },
            "conversation_details": {}, "user_details": {}, "env_variables": { "service": (self.service)(services) },
            "entities": { "way": entity(json!(self.way)), "amount": entity(json!({ "value": "2", "unit": "kg" })) },
        });
        if let Some(name) = &self.named {
            event["entities"]["name"] = entity(json!(name));
        }
        event.to_string().into_bytes()
    }
}

fn case(name: &'static str, way: &'static str) -> Case {
    Case { name, way, named: None, service: |_| String::new(), expected: Expected::Replies(json!({})) }
}

/// Every case, in the order in which each language goes through them: what `details` lets be remembered comes with the events after it.
pub(super) fn all() -> Vec<Case> {
    [replies(), causes(), capabilities()].into_iter().flatten().collect()
}

/// Events in, replies out.
fn replies() -> Vec<Case> {
    let long = "स्पीकर 😊 ".repeat(2_000);
    vec![
        case("text", "greet").named("आशा").says("नमस्ते आशा 😊"),
        case("long text", "greet").named(&long).says(&format!("नमस्ते {long} 😊")),
        case("absent entity", "greet").says("नमस्ते"),
        case("entity that is an object", "amount").says("2 kg"),
        case("element", "element").holds(|first, _| {
            let element =
                first.message().and_then(|text| serde_json::from_str::<Value>(&text).ok()).unwrap_or_default();
            let item = &element["data"]["items"][0];
            (&element["type"], &element["text"], &item["actionable_text"])
                == (&json!("BUTTON"), &json!("Sure?"), &json!("Yes"))
        }),
        case("details", "details")
            .named("पुणे")
            .replies(json!({ "conversation_details": { "step": "2" }, "user_details": { "city": "पुणे" } })),
        case("status false", "decline").replies(json!({ "status": false, "response": ["Sorry."] })),
        case("keys of its own", "branch").replies(json!({ "tier": { "name": "gold", "points": [1, 2.5] } })),
        case("clock", "clock").holds(|first, _| {
            let told = first.message().and_then(|text| text.parse().ok()).map(Duration::from_secs);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            told.is_some_and(|told| told.abs_diff(now) < Duration::from_secs(60))
        }),
        case("randomness", "random").holds(|first, second| {
            first.message().is_some_and(|drawn| drawn.len() >= 16) && first.message() != second.message()
        }),
        case("sleep", "wait").holds(|first, _| {
            let micros = first.record["usage"]["wall_micros"].as_u64().unwrap();
            first.message().as_deref() == Some("rested") && micros >= 50_000
        }),
        case("nothing stays", "count")
            .holds(|first, second| [first, second].iter().all(|tried| tried.message().as_deref() == Some("1"))),
    ]
}

/// Each cause that a handler alone can bring about. `over_quota`, `overloaded`, `unavailable` and `internal` are the host's.
fn causes() -> Vec<Case> {
    vec![
        case("exception", "error").breaks(Cause::Exception),
        case("trap", "trap").breaks(Cause::Trap),
        case("exit", "exit").breaks(Cause::Exit),
        case("reply_not_json", "not_json").breaks(Cause::ReplyNotJson),
        case("reply_wrong_shape", "wrong_shape").breaks(Cause::ReplyWrongShape),
        case("reply_empty", "empty").breaks(Cause::ReplyEmpty),
        case("out_of_time", "sleep").breaks(Cause::OutOfTime),
        case("out_of_cpu", "loop").breaks(Cause::OutOfCpu),
        case("out_of_memory", "eat").breaks(Cause::OutOfMemory),
        case("out_of_stack", "recurse").breaks(Cause::OutOfStack),
        case("reply_too_large", "long").breaks(Cause::ReplyTooLarge),
        case("too_many_calls", "calls").breaks(Cause::TooManyCalls),
        case("upstream_failed", "fetch").with_service(Services::silent).breaks(Cause::UpstreamFailed),
        case("upstream_failed, by a status", "fetch").with_service(Services::down).breaks(Cause::UpstreamFailed),
    ]
}

fn capabilities() -> Vec<Case> {
    vec![
        case("log", "log").named("आशा").holds(|first, _| {
            let lines = first.record["log"]["lines"].as_array().unwrap();
            lines.iter().any(|line| line["text"].as_str().unwrap().ends_with("आशा was here") && line["level"] == "warn")
        }),
        case("state", "remember").says("पुणे"),
        case("config", "config").says("Corner"),
        case("key-value", "kv").holds(|first, second| {
            let count = |tried: &Tried| tried.message().and_then(|text| text.parse::<u32>().ok());
            count(first).is_some() && count(second) == count(first).map(|count| count + 1)
        }),
        case("messages", "message").says("नमस्ते जी"),
        case("http", "fetch").with_service(Services::orders).says("packed"),
        case("connection", "fetch").with_service(Services::guarded).says("the key is right"),
    ]
}
