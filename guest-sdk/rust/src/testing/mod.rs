//! Runs a handler natively, for an author's unit tests. Not there when compiling to WebAssembly.
//!
//! Nothing is limited and nothing is isolated here: `codenode run` does that.
//!
//! ```
//! use codenode::{Error, Event, Reply, testing};
//!
//! fn handle(event: Event) -> Result<Reply, Error> {
//!     let id = event.entities.text("product_id").ok_or("no product_id")?;
//!     Ok(Reply::text(format!("Order {id} is on its way.")))
//! }
//!
//! let run = testing::run(handle, testing::event("ORDER_STATUS").entity("product_id", "71"));
//! assert_eq!(run.texts(), ["Order 71 is on its way."]);
//!
//! let run = testing::run(handle, testing::event("ORDER_STATUS"));
//! assert_eq!(run.error(), "no product_id");
//! ```

mod build;
mod check;
#[cfg(feature = "config")]
mod config;
mod http;
#[cfg(feature = "kv")]
mod kv;
#[cfg(feature = "kv")]
mod messages;
mod run;

pub use build::{EventBuilder, event, event_file};
#[cfg(feature = "config")]
pub use config::{Set, config, secrets};
#[cfg(feature = "config")]
pub(crate) use config::{value, values};
pub(crate) use http::answered;
pub use http::{Answering, http};
#[cfg(feature = "kv")]
pub(crate) use kv::kept;
#[cfg(feature = "kv")]
pub use kv::{Keeping, kv};
#[cfg(feature = "kv")]
pub use messages::{Saying, messages};
pub(crate) use run::log;
pub use run::{Line, Run, run};
