//! `[front_door]`: where events come in, and what a connection may take.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::document::Section;

/// More worker threads than this is a slip of the pen.
const MAX_WORKERS: usize = 1024;

/// The listener of `/hooks/…`, the only one that need face the internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontDoor {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Worker threads, each with its own socket; 0 is one for each core.
    pub workers: usize,
    /// Connections open at once; one more is closed at once.
    pub connections: usize,
    /// For the whole head of a message to arrive.
    pub header_timeout: Duration,
    /// For the whole body of a message to arrive.
    pub body_timeout: Duration,
    /// For a connection between messages.
    pub idle_timeout: Duration,
    /// For runs that are under way when the server stops.
    pub drain_time: Duration,
    /// The certificate to serve HTTPS with; plain HTTP without.
    pub tls: Option<TlsFiles>,
}

/// A certificate chain and its key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Default for FrontDoor {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: 0,
            connections: 10_000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            drain_time: Duration::from_secs(30),
            tls: None,
        }
    }
}

impl FrontDoor {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let address = "an address with a port, such as \"0.0.0.0:8080\"";
        let front_door = Self {
            listen: section.parsed("listen", address).unwrap_or(default.listen),
            workers: section.count("workers", default.workers),
            connections: section.count("connections", default.connections),
            header_timeout: section.duration("header_timeout", default.header_timeout),
            body_timeout: section.duration("body_timeout", default.body_timeout),
            idle_timeout: section.duration("idle_timeout", default.idle_timeout),
            drain_time: section.duration("drain_time", default.drain_time),
            tls: read_tls(section.section("tls")),
        };
        if front_door.workers > MAX_WORKERS {
            section.wrong_key("workers", format!("must be at most {MAX_WORKERS}; 0 is one for each core"));
        }
        if front_door.connections == 0 {
            section.wrong_key("connections", "must be above zero: nobody could connect");
        }
        for (key, time) in [
            ("header_timeout", front_door.header_timeout),
            ("body_timeout", front_door.body_timeout),
            ("idle_timeout", front_door.idle_timeout),
        ] {
            if time.is_zero() {
                section.wrong_key(key, "must be above zero: every connection would be closed at once");
            }
        }
        section.finish();
        front_door
    }

    /// The number of worker threads that [`FrontDoor::workers`] comes to on this machine.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }
}

fn read_tls(mut section: Section<'_>) -> Option<TlsFiles> {
    let certificate = section.path("certificate");
    let key = section.path("key");
    if certificate.is_some() != key.is_some() {
        section.wrong_here("needs both `certificate` and `key`, or neither");
    }
    section.finish();
    Some(TlsFiles { certificate: certificate?, key: key? })
}
