//! `[egress]`: how the requests of handlers leave this host.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::document::Section;

const CONNECTIONS: RangeInclusive<u32> = 1..=65_536;
const CONNECT_TIMES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(28);
const IDLE_TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// The way out of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// Connections that may be open at once.
    pub connections: u32,
    /// The same for one tenant.
    pub tenant_connections: u32,
    /// For the name, the connection and TLS together.
    pub connect_time: Duration,
    /// As long is a connection kept that nobody uses.
    pub idle_time: Duration,
    /// Instead of those of `/etc/resolv.conf`.
    pub name_servers: Vec<SocketAddr>,
    /// Certificates that are trusted besides those of the system: a PEM file.
    pub certificates: Option<PathBuf>,
}

impl Default for Egress {
    fn default() -> Self {
        Self {
            connections: 1_024,
            tenant_connections: 256,
            connect_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(15),
            name_servers: Vec::new(),
            certificates: None,
        }
    }
}

impl Egress {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let egress = Self {
            connections: section.count_in("connections", CONNECTIONS, default.connections),
            tenant_connections: section.count_in("tenant_connections", CONNECTIONS, default.tenant_connections),
            connect_time: section.duration_in("connect_time", CONNECT_TIMES, default.connect_time),
            idle_time: section.duration_in("idle_time", IDLE_TIMES, default.idle_time),
            name_servers: section
                .parsed_list("name_servers", |_| "must be an address with a port, such as \"10.0.0.2:53\"".to_owned()),
            certificates: section.path("certificates"),
        };
        section.finish();
        egress
    }
}
