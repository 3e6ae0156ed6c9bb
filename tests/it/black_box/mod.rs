//! The real binary from outside: over HTTP and on the command line.

mod answers;
mod cli;
mod concurrency;
mod door;
mod examples;
mod hostile_wire;
mod http;
mod idle;
mod instructions;
mod reload;
mod server;
mod shutdown;
mod signatures;
mod tls;
