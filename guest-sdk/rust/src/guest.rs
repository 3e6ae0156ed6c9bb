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

use bindings::wasi::logging::logging;

/// Runs the handler on one event, as the world's `handle` asks.
pub fn run(event: &str, handler: fn(Event) -> Result<Reply, Error>) -> Result<String, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(log_panic)));
    match Event::parse(event).and_then(handler) {
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

pub(crate) fn log(level: Level, context: &str, message: &str) {
    let level = match level {
        Level::Trace => logging::Level::Trace,
        Level::Debug => logging::Level::Debug,
        Level::Info => logging::Level::Info,
        Level::Warn => logging::Level::Warn,
        Level::Error => logging::Level::Error,
        Level::Critical => logging::Level::Critical,
    };
    logging::log(level, context, message);
}
