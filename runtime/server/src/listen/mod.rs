//! How HTTP gets in: sockets, TLS, the accept loop and its limits, for the front door and for the management side.
//!
//! It knows no route and no tenant. `axum::serve` is not used because it gives hyper no timer, and so no header timeout.

mod accept;
mod activity;
mod body;
mod framing;
mod settings;
mod socket;
mod tls;
mod wire;

pub(crate) use accept::serve;
pub(crate) use body::{BodyError, read_body};
pub(crate) use settings::{Linger, Settings};
pub(crate) use socket::{Listener, Seats, Socket};
pub(crate) use tls::Tls;

#[cfg(test)]
mod tests;
