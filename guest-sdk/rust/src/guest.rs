//! The way in and out of the sandbox: what `#[codenode::handler]` expands to. Not for authors.

use std::panic::PanicHookInfo;
use std::sync::Once;

use crate::log::Level;
use crate::{Error, Event, Reply};

pub use bindings::{Guest, export};

#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({ path: "../wit", world: "code-node", generate_all, pub_export_macro: true });
}

use bindings::codenode::node::log;

/// Runs the handler on one event, as the world's `handle` asks. The host has checked the event's syntax.
pub fn run(event: String, handler: fn(Event) -> Result<Reply, Error>) -> Result<String, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(log_panic)));
    match Event::read(event).and_then(handler) {
        Ok(reply) => Ok(reply.to_json()),
        Err(error) => Err(error.into_message()),
    }
}

/// A trap carries no text, so a panic says what it has to say before it becomes one.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("a panic without text");
    let message = match panic.location() {
        Some(place) => format!("panicked at {place}: {what}"),
        None => format!("panicked: {what}"),
    };
    log(Level::Critical, "panic", &message);
}

/// The bytes of a text that fit into one call.
const CALL_BYTES: usize = 14 * 8;

pub(crate) fn log(level: Level, context: &str, message: &str) {
    let level = match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
        Level::Critical => log::Level::Critical,
    };
    let text = if context.is_empty() { message.to_owned() } else { format!("{context}: {message}") };
    let mut rest = text.as_bytes();
    while let Some((part, more)) = rest.split_at_checked(CALL_BYTES).filter(|(_, more)| !more.is_empty()) {
        let (bytes, words) = words(part);
        log::more(bytes, words);
        rest = more;
    }
    let (bytes, words) = words(rest);
    log::write(level, bytes, words);
}

/// At most [`CALL_BYTES`] bytes as the arguments of a call: how many, and the bytes themselves.
fn words(text: &[u8]) -> (u8, log::Words) {
    let word = |at: usize| text.iter().skip(at * 8).take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let words = (
        word(0),
        word(1),
        word(2),
        word(3),
        word(4),
        word(5),
        word(6),
        word(7),
        word(8),
        word(9),
        word(10),
        word(11),
        word(12),
        word(13),
    );
    (u8::try_from(text.len()).unwrap_or(u8::MAX), words)
}
