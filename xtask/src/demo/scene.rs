//! One event, what comes back, and whether that is what should.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

use super::server::Server;
use super::stage::Stage;
use crate::http;
use crate::program::Program;

/// A record is written after the answer has gone.
const RECORD_TIME: Duration = Duration::from_secs(5);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
const LONGEST_LINE: usize = 100;

/// What should come back.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// A reply with this text in it.
    Says(&'static str),
    /// A bot break: status, cause and blame.
    Breaks(u16, &'static str, &'static str),
}

use Expected::{Breaks, Says};

/// The nodes that answer, with a part of what they say to their example event.
pub(crate) const GOOD: [(&str, &str); 6] = [
    ("product-price", "The price of the speaker is ₹1500."),
    ("order-status", "Order 71 is on its way."),
    ("appointment", "23/12/2019 को 15:00 बजे मिलते हैं।"),
    ("echo-command", "You said: नमस्ते 😊"),
    ("price-python", "The price of the speaker is ₹1500."),
    ("price-javascript", "The price of the speaker is ₹1500."),
];

/// What `order-tracker` says of the shop's only order, by the language of whoever asks.
pub(crate) const ORDER: [(&str, &str); 2] = [
    ("en", "📦 Order 71 is on its way and should arrive on Friday."),
    ("hi-IN", "📦 ऑर्डर 71: on its way। पहुँचने का दिन: Friday।"),
];

/// What `naughty` can be asked to do, and what that comes to.
pub(crate) const NAUGHTY: [(&str, Expected); 12] = [
    ("loop", Breaks(504, "out_of_cpu", "limit")),
    ("eat_memory", Breaks(502, "out_of_memory", "limit")),
    ("recurse", Breaks(502, "out_of_stack", "limit")),
    ("panic", Breaks(502, "trap", "author")),
    ("error", Breaks(502, "exception", "author")),
    ("empty", Breaks(502, "reply_empty", "author")),
    ("bad_json", Breaks(502, "reply_not_json", "author")),
    ("wrong_shape", Breaks(502, "reply_wrong_shape", "author")),
    ("huge_reply", Breaks(502, "reply_too_large", "limit")),
    ("out_of_bounds", Breaks(502, "trap", "author")),
    ("divide_by_zero", Breaks(502, "trap", "author")),
    ("log_flood", Says("I have said all that I had to say.")),
];

/// An event for a node.
pub(crate) struct Scene {
    pub(crate) node: &'static str,
    pub(crate) title: &'static str,
    pub(crate) event: PathBuf,
    pub(crate) expected: Expected,
}

/// What `codenode send --json` prints.
#[derive(Deserialize)]
struct Answer {
    status: u16,
    run: Option<String>,
    #[serde(rename = "break")]
    cause: Option<String>,
    micros: u64,
    body: Value,
}

impl Scene {
    /// Sends the event, prints what came back, and tells whether it was as expected.
    pub(crate) fn play(&self, stage: &Stage, server: &Server) -> anyhow::Result<bool> {
        let answer = self.send(stage, server)?;
        let run = answer.run.as_deref().with_context(|| format!("the answer of {} names no run", self.node))?;
        let record = record(stage, server, run)?;
        println!(
            "\n  {}  {} in {:.1} ms",
            self.title,
            answer.status,
            Duration::from_micros(answer.micros).as_secs_f64() * 1e3
        );
        match &answer.cause {
            None => show_reply(&answer.body),
            Some(cause) => show_break(cause, &record),
        }
        let dropped = record.pointer("/log/dropped_bytes").and_then(Value::as_u64).unwrap_or_default();
        if dropped > 0 {
            println!("    log   truncated: {dropped} bytes were dropped");
        }
        let is_expected = self.expected.is(&answer, &record);
        if !is_expected {
            println!("    !!    this is not what was expected: {}", self.expected);
        }
        Ok(is_expected)
    }

    fn send(&self, stage: &Stage, server: &Server) -> anyhow::Result<Answer> {
        let send = Program::new(&stage.codenode)
            .arg("send")
            .arg(server.hook(self.node))
            .arg("--event")
            .arg(&self.event)
            .arg("--secret")
            .arg(format!("file:{}", stage.secret().display()))
            .arg("--json");
        let output = send.ask()?;
        // 0 is an answer with status 200, 1 one with another; anything else is none.
        if !matches!(output.status.code(), Some(0 | 1)) {
            bail!("`{send}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("cannot read what `{send}` printed"))
    }
}

impl Expected {
    fn is(self, answer: &Answer, record: &Value) -> bool {
        let text = |pointer| record.pointer(pointer).and_then(Value::as_str);
        match self {
            Says(said) => {
                answer.status == 200 && answer.cause.is_none() && messages(&answer.body).iter().any(|text| text == said)
            }
            Breaks(status, cause, blame) => {
                answer.status == status
                    && answer.cause.as_deref() == Some(cause)
                    && (text("/cause"), text("/blame")) == (Some(cause), Some(blame))
            }
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Says(said) => write!(f, "a reply that says `{said}`"),
            Breaks(status, cause, blame) => write!(f, "{status}, {cause}, blame {blame}"),
        }
    }
}

/// `GET /v1/runs/{id}`, as soon as it is there.
fn record(stage: &Stage, server: &Server, run: &str) -> anyhow::Result<Value> {
    let token = fs::read_to_string(stage.token()).context("cannot read the management token")?;
    let deadline = Instant::now() + RECORD_TIME;
    loop {
        let answer = http::get(&server.management, &format!("/v1/runs/{run}"), Some(&token))?;
        match answer.status {
            200 => return Ok(answer.body),
            404 if Instant::now() < deadline => thread::sleep(LOOK_INTERVAL),
            status => bail!("the record of run {run} cannot be had: {status} {}", answer.body),
        }
    }
}

fn show_break(cause: &str, record: &Value) {
    let text = |key| record.get(key).and_then(Value::as_str).unwrap_or("?");
    println!("    x-codenode-break: {cause}   blame: {}", text("blame"));
    println!("    {}", short(text("detail")));
}

fn show_reply(body: &Value) {
    for message in messages(body) {
        println!("    bot   {}", short(&message));
    }
}

/// The messages of a reply, in words; an element arrives as a string that holds its JSON.
fn messages(body: &Value) -> Vec<String> {
    let response = body.get("response").and_then(Value::as_array);
    let words = |message: &Value| {
        let text = message.as_str().unwrap_or_default();
        serde_json::from_str(text)
            .ok()
            .filter(Value::is_object)
            .map_or_else(|| text.to_owned(), |element| in_words(&element))
    };
    response.into_iter().flatten().map(words).collect()
}

/// `Pick one (BUTTON): [This] [That]`
fn in_words(element: &Value) -> String {
    let text = |value: &Value, key| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let items = element.pointer("/data/items").and_then(Value::as_array);
    let labels = items.into_iter().flatten().map(|item| match text(item, "actionable_text") {
        label if label.is_empty() => text(item, "title"),
        label => label,
    });
    let labels: String = labels.map(|label| format!(" [{label}]")).collect();
    format!("{} ({}):{labels}", text(element, "text"), text(element, "type"))
}

fn short(text: &str) -> String {
    let cut: String = text.chars().filter(|character| !character.is_control()).take(LONGEST_LINE).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_put_into_words() {
        let element =
            r#"{"text":"Pick one","type":"BUTTON","data":{"items":[{"actionable_text":"This"},{"title":"That"}]}}"#;
        let body = serde_json::json!({ "status": true, "response": ["hello", element, "12"] });
        assert_eq!(messages(&body), ["hello", "Pick one (BUTTON): [This] [That]", "12"]);
    }
}
