use std::cell::RefCell;

use super::build::fail;
use super::check::checked;
#[cfg(feature = "kv")]
use super::kv::Writing;
use crate::log::Level;
use crate::{Error, Event, Reply};

/// One line that a handler logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// What groups lines: with the macros, the path of the module.
    pub context: String,
    /// The text.
    pub message: String,
}

/// What came of running a handler once.
#[derive(Debug)]
pub struct Run {
    result: Result<Reply, Error>,
    logs: Vec<Line>,
}

/// Runs a handler on an event, on this thread, and keeps what it logs; what it wrote to `codenode::kv` too, if it replies. As on a host, what has
/// no message is no reply. A panic goes on to the caller.
#[track_caller]
pub fn run(handler: impl FnOnce(Event) -> Result<Reply, Error>, event: impl Into<Event>) -> Run {
    let event = event.into();
    let _capture = Capture::start();
    #[cfg(feature = "kv")]
    let writing = Writing::start();
    let result = handler(event).and_then(checked);
    #[cfg(feature = "kv")]
    if result.is_ok() {
        writing.keep();
    }
    Run { result, logs: LINES.take().unwrap_or_default() }
}

impl Run {
    /// The handler's reply.
    ///
    /// # Panics
    /// The handler gave an error.
    #[track_caller]
    pub fn reply(&self) -> &Reply {
        match &self.result {
            Ok(reply) => reply,
            Err(error) => fail(&format!("the handler gave an error: {}", error.message())),
        }
    }

    /// The reply's plain messages; elements are left out.
    ///
    /// # Panics
    /// The handler gave an error.
    #[track_caller]
    pub fn texts(&self) -> Vec<&str> {
        self.reply().messages().iter().filter_map(|message| message.as_text()).collect()
    }

    /// The reply as the host would read it.
    ///
    /// # Panics
    /// The handler gave an error.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.reply().to_json()) {
            Ok(json) => json,
            Err(error) => fail(&format!("the reply is not JSON: {error}")),
        }
    }

    /// The text of the handler's error.
    ///
    /// # Panics
    /// The handler gave a reply.
    #[track_caller]
    pub fn error(&self) -> &str {
        match &self.result {
            Ok(reply) => fail(&format!("the handler gave a reply: {}", reply.to_json())),
            Err(error) => error.message(),
        }
    }

    /// What the handler logged, in order.
    pub fn logs(&self) -> &[Line] {
        &self.logs
    }
}

thread_local! {
    /// Some while a handler runs on this thread.
    static LINES: RefCell<Option<Vec<Line>>> = const { RefCell::new(None) };
}

/// Stops capturing when dropped, so that a handler that panics does not leave the thread capturing.
struct Capture;

impl Capture {
    fn start() -> Self {
        LINES.set(Some(Vec::new()));
        Self
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        LINES.set(None);
    }
}

/// Where log lines go natively.
pub(crate) fn log(level: Level, context: &str, message: &str) {
    LINES.with_borrow_mut(|lines| match lines {
        Some(lines) => lines.push(Line { level, context: context.into(), message: message.into() }),
        None => eprintln!("{level:?} {context}: {message}"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, json, testing};

    #[test]
    fn a_run_keeps_the_reply_and_the_lines() {
        let handler = |event: Event| {
            crate::log::info!("asked by {}", event.user.full_name);
            crate::log::warn!("slow");
            Ok(Reply::text(event.env_variables.text("GREETING").ok_or("no greeting")?)
                .and(Message::element(json!({"type": "SILENT", "data": {}}))))
        };
        let greeted = run(handler, testing::event("HELLO").user("full_name", "आशा").env("GREETING", "नमस्ते"));
        assert_eq!((greeted.texts(), greeted.reply().messages().len()), (vec!["नमस्ते"], 2));
        let line = |level, message: &str| Line { level, context: module_path!().into(), message: message.into() };
        assert_eq!(greeted.logs(), [line(Level::Info, "asked by आशा"), line(Level::Warn, "slow")]);
        assert_eq!(run(handler, testing::event("HELLO")).error(), "no greeting");
    }

    #[cfg(feature = "kv")]
    #[test]
    fn what_the_host_would_not_take_is_no_reply_and_keeps_nothing() {
        let _kv = testing::kv();
        let handler = |_| {
            crate::kv::node()?.set("a", "x")?;
            Ok(Reply::empty())
        };
        assert_eq!(run(handler, Event::default()).error(), "the reply has no message: `response` is an empty list");
        assert_eq!(crate::kv::node().unwrap().get("a").unwrap(), None);
    }

    #[test]
    fn a_panic_does_not_leave_the_thread_capturing() {
        let panicked = std::panic::catch_unwind(|| run(|_| panic!("no"), Event::default()));
        assert!(panicked.is_err());
        assert!(LINES.take().is_none());
    }

    #[test]
    fn an_event_is_built_of_named_parts() {
        let event = testing::event("X")
            .entity("n", "1")
            .entity("n", json!({"value": "2"}))
            .language("hi")
            .conversation_detail("a", 1)
            .user_detail("b", "2")
            .with("new", true)
            .build();
        assert_eq!(event.entities.get("n").iter().map(|entity| entity.integer().unwrap()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(event.user.language_code.as_deref(), Some("hi"));
        assert_eq!((event.conversation_details.integer("a"), event.user_details.text("b")), (Some(1), Some("2")));
        assert_eq!(event.extra.get("new"), Some(&true.into()));
    }
}
