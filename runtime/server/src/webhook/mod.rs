//! The front door: `POST /hooks/{tenant}/{node}`, and nothing else.
//!
//! It knows nothing of the management side.

mod afterwards;
mod answer;
mod forwarded;
mod media_type;
mod once;
mod receive;
mod route;
pub(crate) mod signature;

pub(crate) use receive::Door;
