//! From names to addresses, with a deadline.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use sandbox::egress::{EgressError, Fault};
use tracing::warn;

/// For one question to one server; a second one may follow.
const QUESTION_TIME: Duration = Duration::from_secs(2);
const QUESTIONS: usize = 2;

/// Names that are remembered, and for how long whatever their time to live.
const REMEMBERED: u64 = 1_024;
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// The resolver of a host.
pub(super) struct Names(TokioResolver);

impl Names {
    /// The servers named; those of `/etc/resolv.conf` where none is. `/etc/hosts` comes first.
    ///
    /// # Errors
    /// If the resolver cannot be set up. A host without `/etc/resolv.conf` resolves nothing, and serves handlers that call nobody.
    pub(super) fn new(servers: &[SocketAddr]) -> anyhow::Result<Self> {
        let of_system = if servers.is_empty() { TokioResolver::builder_tokio() } else { Ok(asking(servers)) };
        let mut builder = of_system.unwrap_or_else(|error| {
            warn!(%error, "/etc/resolv.conf cannot be read, so no handler can call a name: set egress.name_servers");
            asking(&[])
        });
        let options = builder.options_mut();
        options.timeout = QUESTION_TIME;
        options.attempts = QUESTIONS;
        options.cache_size = REMEMBERED;
        options.positive_max_ttl = Some(REMEMBERED_FOR);
        options.negative_max_ttl = Some(REMEMBERED_FOR);
        Ok(Self(builder.build().context("cannot set up the resolver")?))
    }

    /// Every address of a name. An address stands for itself.
    pub(super) async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, EgressError> {
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = literal.parse() {
            return Ok(vec![address]);
        }
        let found = self.0.lookup_ip(host).await.map_err(|error| {
            let fault = if error.is_no_records_found() { Fault::NameNotFound } else { Fault::NameTimedOut };
            EgressError::new(fault, format!("the name {host} was not resolved: {error}"))
        })?;
        Ok(found.iter().collect())
    }
}

fn asking(servers: &[SocketAddr]) -> ResolverBuilder<TokioRuntimeProvider> {
    let servers = servers.iter().map(|server| {
        let [mut udp, mut tcp] = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
        (udp.port, tcp.port) = (server.port(), server.port());
        NameServerConfig::new(server.ip(), true, vec![udp, tcp])
    });
    TokioResolver::builder_with_config(
        ResolverConfig::from_name_servers(servers.collect()),
        TokioRuntimeProvider::default(),
    )
}
