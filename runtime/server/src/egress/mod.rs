//! The way out of the sandbox: names are resolved here, addresses checked, connections made, kept and bounded.
//!
//! What may leave is the sandbox's to decide, from a revision's grants. Here it is decided where it may arrive, from the tenant's networks: a
//! connection belongs to one tenant, so that none rides on what another was allowed.

mod address;
mod connect;
mod names;
mod pace;

use std::collections::{BTreeMap, HashMap};
use std::error::Error as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::{Client as HttpClient, Error as ClientError};
use hyper_util::rt::TokioTimer;
use ipnet::IpNet;
use model::TenantId;
use sandbox::egress::{Egress, EgressError, Fault, RequestBody, Sending};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::config;
use connect::Connector;
use names::Names;
use pace::Pace;

/// Connections to one origin that are kept though nobody uses them.
const MAX_IDLE: usize = 8;

/// The head of a response: how many headers it may have, and what they may take.
const MAX_HEADERS: usize = 100;
const MAX_HEAD_BYTES: u32 = 32 << 10;

/// What a connection may hold of a response that nobody has read yet.
const BUFFER_BYTES: usize = 64 << 10;

/// A connection of HTTP/2 on which nothing came for so long is asked whether it still works, and closed if nothing says so.
const ASKED_AFTER: Duration = Duration::from_secs(5);
const ALIVE_WITHIN: Duration = Duration::from_secs(3);

/// The way out of one host, for all of its tenants.
pub struct Gateway {
    shared: Arc<Shared>,
    tenants: Mutex<Tenants>,
}

/// What connections are made with.
struct Shared {
    names: Names,
    tls: TlsConnector,
    /// Connections that may still be opened.
    connections: Arc<Semaphore>,
    tenant_connections: usize,
    connect_time: Duration,
    idle_time: Duration,
}

#[derive(Default)]
struct Tenants {
    /// Private networks that an operator has opened to a tenant.
    networks: HashMap<TenantId, Vec<IpNet>>,
    /// Of those whose revisions are in use.
    clients: HashMap<TenantId, Weak<Client>>,
}

/// One tenant's way out.
struct Client {
    shared: Arc<Shared>,
    connections: Arc<Semaphore>,
    pace: Pace,
    pool: ArcSwap<Pool>,
}

/// Its connections, all made under the same rule.
struct Pool {
    networks: Arc<[IpNet]>,
    http: HttpClient<Connector, RequestBody>,
}

impl Gateway {
    /// Reads the certificates and the resolver's configuration; nothing is connected to.
    ///
    /// # Errors
    /// If `egress.certificates` cannot be used.
    pub fn open(config: &config::Egress) -> anyhow::Result<Self> {
        let shared = Shared {
            names: Names::new(&config.name_servers)?,
            tls: connect::tls(config.certificates.as_deref())?,
            connections: Arc::new(Semaphore::new(usize::try_from(config.connections)?)),
            tenant_connections: usize::try_from(config.tenant_connections)?,
            connect_time: config.connect_time,
            idle_time: config.idle_time,
        };
        Ok(Self { shared: Arc::new(shared), tenants: Mutex::default() })
    }

    /// Opens their private networks to these tenants, and closes all others. Connections that were made under another rule are not used again.
    pub fn open_networks(&self, configured: &BTreeMap<TenantId, config::Tenant>) {
        let open = configured.iter().filter(|(_, tenant)| !tenant.private_networks.is_empty());
        let open = open.map(|(id, tenant)| (id.clone(), tenant.private_networks.clone())).collect();
        let mut tenants = self.tenants();
        tenants.networks = open;
        for (id, client) in &tenants.clients {
            if let Some(client) = client.upgrade() {
                client.allow(tenants.networks_of(id));
            }
        }
    }

    /// A tenant's way out.
    pub(crate) fn client(&self, tenant: &TenantId) -> Arc<dyn Egress> {
        let mut tenants = self.tenants();
        if let Some(client) = tenants.clients.get(tenant).and_then(Weak::upgrade) {
            return client;
        }
        let client = Arc::new(Client::new(&self.shared, tenants.networks_of(tenant)));
        tenants.clients.retain(|_, client| client.strong_count() > 0);
        tenants.clients.insert(tenant.clone(), Arc::downgrade(&client));
        client
    }

    fn tenants(&self) -> MutexGuard<'_, Tenants> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tenants {
    fn networks_of(&self, tenant: &TenantId) -> &[IpNet] {
        self.networks.get(tenant).map_or(&[], Vec::as_slice)
    }
}

impl Client {
    fn new(shared: &Arc<Shared>, networks: &[IpNet]) -> Self {
        let connections = Arc::new(Semaphore::new(shared.tenant_connections));
        let pace = Pace::new();
        let pool = ArcSwap::from_pointee(Pool::new(shared, &connections, &pace, networks));
        Self { shared: Arc::clone(shared), connections, pace, pool }
    }

    fn allow(&self, networks: &[IpNet]) {
        if *self.pool.load().networks != *networks {
            self.pool.store(Arc::new(Pool::new(&self.shared, &self.connections, &self.pace, networks)));
        }
    }
}

impl Pool {
    fn new(shared: &Arc<Shared>, connections: &Arc<Semaphore>, pace: &Pace, networks: &[IpNet]) -> Self {
        let networks: Arc<[IpNet]> = networks.into();
        let connector = Connector::new(Arc::clone(shared), Arc::clone(connections), Arc::clone(&networks));
        let http = HttpClient::builder(pace.clone())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(shared.idle_time)
            .pool_max_idle_per_host(MAX_IDLE)
            .http1_max_headers(MAX_HEADERS)
            .http1_max_buf_size(BUFFER_BYTES)
            .http2_max_header_list_size(MAX_HEAD_BYTES)
            .http2_initial_stream_window_size(u32::try_from(BUFFER_BYTES).ok())
            .http2_keep_alive_interval(ASKED_AFTER)
            .http2_keep_alive_timeout(ALIVE_WITHIN)
            // A connection that only ever waits in vain would otherwise be taken again and again.
            .http2_keep_alive_while_idle(true)
            .build(connector);
        Self { networks, http }
    }
}

impl Egress for Client {
    fn send(&self, request: http::Request<RequestBody>) -> Sending<'_> {
        Box::pin(async move {
            let response = self.pool.load().http.request(request);
            let response = response.await.map_err(|error| why(&error))?;
            Ok(response.map(|body| body.map_err(|error| of_http(&error)).boxed_unsync()))
        })
    }

    fn by_connection(&self, _: &Url) -> Option<Arc<dyn Egress>> {
        None
    }

    fn redact(&self, _: &str) -> Option<String> {
        None
    }
}

/// Why there is no response. What the connector says comes first.
fn why(error: &ClientError) -> EgressError {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(ours) = inner.downcast_ref::<EgressError>() {
            return ours.clone();
        }
        if let Some(http) = inner.downcast_ref::<hyper::Error>() {
            return of_http(http);
        }
        source = inner.source();
    }
    EgressError::new(Fault::Protocol, format!("the connection failed: {error}"))
}

fn of_http(error: &hyper::Error) -> EgressError {
    let (fault, what) = if error.is_parse_too_large() {
        (Fault::HeadersTooLarge, "the head of the response is too large")
    } else if error.is_incomplete_message() {
        (Fault::Incomplete, "the server closed the connection before its response was over")
    } else if error.is_parse() {
        (Fault::Protocol, "the server broke the rules of HTTP")
    } else if error.is_user() {
        (Fault::Incomplete, "the request was not finished")
    } else {
        (Fault::Incomplete, "the connection broke")
    };
    let mut root: &dyn std::error::Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    EgressError::new(fault, format!("{what} ({root})"))
}
