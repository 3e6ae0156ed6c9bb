//! Write the handler of a chatbot's code node in Rust: one function from an [`Event`] to a [`Reply`].
//!
//! This crate gives types to the platform's JSON, sends log lines to the host, and runs a handler natively for its unit tests.
//! The network is the host's, and so is whatever outlives a run; both are granted per node: [`http`] asks for the one, and the module `kv`, with the
//! feature of that name, for the other; so does `messages`, for texts that people edit. What people set for a node is in `config`, with the feature
//! `config`, and one-time codes are in `otp`, with the feature `otp`.
//!
//! # A first handler
//! ```
//! use codenode::{Error, Event, Reply, log};
//!
//! #[codenode::handler]
//! fn handle(event: Event) -> Result<Reply, Error> {
//!     let product = event.entities.text("product_name").ok_or("no product was asked for")?;
//!     log::info!("price of {product}");
//!     Ok(match product {
//!         "speaker" => Reply::text("It costs 1500.").conversation_detail("product", product),
//!         _ => Reply::text("We don't sell that.").status(false),
//!     })
//! }
//!
//! # fn main() {
//! // In a unit test, natively:
//! use codenode::testing;
//! let run = testing::run(handle, testing::event("PRODUCT_PRICE").entity("product_name", "speaker"));
//! assert_eq!(run.texts(), ["It costs 1500."]);
//! assert_eq!(run.logs()[0].message, "price of speaker");
//! # }
//! ```
//! In `Cargo.toml` the crate's type is `cdylib`; then `cargo build --release --target wasm32-unknown-unknown` (the quickest guest: it
//! imports nothing but its log) or `--target wasm32-wasip2` makes the file to upload.
//!
//! # When a handler fails
//! An [`Error`] becomes a bot break with the cause `exception` and the error's text. A panic becomes a bot break with the cause `trap`;
//! its message and place are logged at `critical` first.
//!
//! # Memory
//! With the default feature `bump-allocator`, a guest for `wasm32-unknown-unknown` never frees memory, because it lives for one event only.
//! A handler that makes a lot of garbage turns the feature off (`default-features = false`).
//!
//! A guest is quickest when its memory never grows. Put this into the `.cargo/config.toml` beside your `Cargo.toml`; without it all works, with
//! a stack of 1 MiB:
//! ```toml
//! [target.wasm32-unknown-unknown]
//! rustflags = ["-Clink-arg=--stack-first", "-Clink-arg=-zstack-size=32768", "-Clink-arg=--initial-memory=131072"]
//! ```

#[macro_use]
mod open;

mod cursor;
mod entities;
mod entity;
mod error;
mod event;
mod fields;
#[cfg(any(target_arch = "wasm32", test))]
mod grant;
mod late;
mod reply;
mod string;
mod value;
mod word;

#[cfg(feature = "config")]
pub mod config;
pub mod element;
pub mod http;
#[cfg(feature = "kv")]
pub mod kv;
pub mod log;
#[cfg(feature = "kv")]
pub mod messages;
#[cfg(feature = "otp")]
pub mod otp;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

#[cfg(all(target_arch = "wasm32", target_os = "unknown", feature = "bump-allocator"))]
mod allocator;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;

pub use codenode_macros::handler;
pub use entities::Entities;
pub use entity::{Detection, Entity};
pub use error::Error;
pub use event::{Event, EventKind, Platform, User};
pub use fields::Fields;
pub use reply::{Message, Reply};
/// JSON as `serde_json` knows it, for values that have no type here; [`json!`] writes one.
pub use serde_json::{Value, json};
pub use value::{Date, Range, Time};
