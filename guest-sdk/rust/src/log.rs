//! Log lines that the host keeps with the run.
//!
//! [`info!`](crate::log::info) and its siblings take the arguments of [`format!`] and name the module that they stand in.
//! In a unit test the lines are captured by [`testing::run`](../testing/fn.run.html); elsewhere on a native target they go to standard error.

#[doc(inline)]
pub use crate::{
    __critical as critical, __debug as debug, __error as error, __info as info, __trace as trace, __warn as warn,
};

/// How much a line matters; the names are `wasi:logging`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The finest grain.
    Trace,
    /// For whoever debugs the handler.
    Debug,
    /// The course of a good run.
    Info,
    /// Something looks wrong, the run goes on.
    Warn,
    /// Something failed.
    Error,
    /// The handler cannot go on; a panic's message.
    Critical,
}

/// Logs one line. `context` groups lines that belong together; the macros give the module's path.
#[cfg(target_arch = "wasm32")]
pub fn write(level: Level, context: &str, message: &str) {
    crate::guest::log(level, context, message);
}

/// Logs one line. `context` groups lines that belong together; the macros give the module's path.
#[cfg(not(target_arch = "wasm32"))]
pub fn write(level: Level, context: &str, message: &str) {
    crate::testing::log(level, context, message);
}

/// Logs a line at this level; what the macros call.
#[doc(hidden)]
pub fn write_formatted(level: Level, context: &str, message: std::fmt::Arguments<'_>) {
    match message.as_str() {
        Some(text) => write(level, context, text),
        None => write(level, context, &message.to_string()),
    }
}

/// Logs a line at [`Level::Trace`](crate::log::Level::Trace), with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __trace {
    ($($argument:tt)+) => {
        $crate::log::write_formatted($crate::log::Level::Trace, ::core::module_path!(), ::core::format_args!($($argument)+))
    };
}

/// Logs a line at [`Level::Debug`](crate::log::Level::Debug), with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __debug {
    ($($argument:tt)+) => {
        $crate::log::write_formatted($crate::log::Level::Debug, ::core::module_path!(), ::core::format_args!($($argument)+))
    };
}

/// Logs a line at [`Level::Info`](crate::log::Level::Info), with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __info {
    ($($argument:tt)+) => {
        $crate::log::write_formatted($crate::log::Level::Info, ::core::module_path!(), ::core::format_args!($($argument)+))
    };
}

/// Logs a line at [`Level::Warn`](crate::log::Level::Warn), with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __warn {
    ($($argument:tt)+) => {
        $crate::log::write_formatted($crate::log::Level::Warn, ::core::module_path!(), ::core::format_args!($($argument)+))
    };
}

/// Logs a line at [`Level::Error`](crate::log::Level::Error), with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($($argument:tt)+) => {
        $crate::log::write_formatted($crate::log::Level::Error, ::core::module_path!(), ::core::format_args!($($argument)+))
    };
}

/// Logs a line at [`Level::Critical`](crate::log::Level::Critical), with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __critical {
    ($($argument:tt)+) => {
        $crate::log::write_formatted($crate::log::Level::Critical, ::core::module_path!(), ::core::format_args!($($argument)+))
    };
}
