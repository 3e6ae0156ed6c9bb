//! The real binary from outside: over HTTP and on the command line.

mod answers;
mod cli;
mod concurrency;
mod crashes;
mod deliveries;
mod deploy;
mod descriptors;
mod door;
mod examples;
mod hostile_wire;
mod hosts;
mod http;
mod http2;
mod idle;
mod instructions;
mod metrics;
mod openapi;
mod quotas;
mod reload;
mod server;
mod shutdown;
mod signatures;
mod starting;
mod tls;
