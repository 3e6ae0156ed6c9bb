//! What the tests of the sandbox share: a house to run guests in, the guests, and the oracle that looks around afterwards.

mod alone;
pub(crate) mod guest;
mod house;
mod oracle;
mod wild;

pub(crate) use alone::alone;
pub(crate) use house::{House, cached, event, runtime, sandbox_in};
pub(crate) use oracle::{Oracle, open_files, told};
pub(crate) use wild::Wild;
