//! The server: a signed event in, the bot's reply out, and everything that is needed to do that for many tenants at once.
//!
//! It knows HTTP, signatures and configuration. What WebAssembly is, the sandbox alone knows.

mod admission;
mod artifacts;
pub mod config;
mod connections;
mod deliveries;
mod descriptors;
mod directory;
pub mod egress;
mod hop;
mod keep;
mod key_values;
mod listen;
mod manage;
mod message_file;
mod metrics;
mod per_tenant;
mod reach;
mod recorder;
mod redaction;
mod reload;
mod server;
mod state;
mod stored;
mod telemetry;
mod traces;
mod values;
mod warnings;
mod watch;
mod webhook;
mod worker;

/// Signing events, for whoever sends them; verifying them is the front door's own business.
pub mod signature {
    pub use crate::webhook::signature::{Scheme, Secret, SecretError, UnknownScheme, sign};
}

pub use config::{Config, ConfigError, Environment};
pub use keep::reseal;
pub use message_file::{MAX_MESSAGE_FILE_BYTES, MessageFileError, MessageFormat};
pub use reach::Reach;
pub use server::{Options, ServeError, Server, serve};
pub use telemetry::start as start_telemetry;
pub use values::{Own, Secret as ConfigSecret};
