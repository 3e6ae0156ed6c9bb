//! What storage does, told once and tried on both databases, and on both object stores.
//!
//! `cargo xtask test` starts what these tests talk to; `cargo xtask services` does it for a single one.

#![cfg(test)]

mod config;
mod connections;
mod crashes;
mod deliveries;
mod idempotency;
mod key_values;
mod leftovers;
mod machine;
mod messages;
mod objects;
mod place;
mod runs;
mod stories;
