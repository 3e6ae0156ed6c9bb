//! One connection: resolved, checked, opened, encrypted.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Context as _;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sandbox::egress::{EgressError, Fault};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use tower_service::Service;
use tracing::warn;

use super::{Shared, address};

/// The most addresses of one name that are tried.
const MAX_TRIED: usize = 4;

/// Makes the connections of one tenant.
#[derive(Clone)]
pub(super) struct Connector {
    shared: Arc<Shared>,
    connections: Arc<Semaphore>,
    networks: Arc<[IpNet]>,
}

/// An open connection. It counts until it is closed.
pub(super) struct Open {
    io: TokioIo<Either<TcpStream, Box<TlsStream<TcpStream>>>>,
    is_http2: bool,
    _places: [OwnedSemaphorePermit; 2],
}

/// TLS as every connection uses it: the certificates of the system, and those of `extra`.
pub(super) fn tls(extra: Option<&Path>) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        warn!(%error, "some of the system's certificates cannot be read");
    }
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = extra {
        let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = certificates.with_context(|| format!("cannot read {}", path.display()))?;
        anyhow::ensure!(!certificates.is_empty(), "{} holds no certificate in PEM form", path.display());
        for certificate in certificates {
            roots.add(certificate).with_context(|| format!("cannot use a certificate of {}", path.display()))?;
        }
    }
    if roots.is_empty() {
        warn!(
            "this system has no certificates, so no guest can use https: install ca-certificates, or set egress.certificates"
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Connector {
    pub(super) const fn new(shared: Arc<Shared>, connections: Arc<Semaphore>, networks: Arc<[IpNet]>) -> Self {
        Self { shared, connections, networks }
    }

    async fn connect(self, uri: Uri) -> Result<Open, EgressError> {
        let places =
            self.in_time(self.places(), Fault::TooManyConnections, "no connection that could be opened").await?;
        self.in_time(self.open(&uri, places), Fault::ConnectTimedOut, "no connection").await
    }

    async fn in_time<T>(
        &self,
        doing: impl Future<Output = Result<T, EgressError>>,
        fault: Fault,
        missing: &str,
    ) -> Result<T, EgressError> {
        let limit = self.shared.connect_time;
        tokio::time::timeout(limit, doing).await.unwrap_or_else(|_elapsed| {
            let limit = humantime::format_duration(limit);
            Err(EgressError::new(fault, format!("there was {missing} within {limit}")))
        })
    }

    /// One of the tenant's, then one of the host's, when they are free.
    async fn places(&self) -> Result<[OwnedSemaphorePermit; 2], EgressError> {
        let place = async |places: &Arc<Semaphore>| {
            // Nothing closes them.
            let closed = |_| EgressError::new(Fault::TooManyConnections, "this host shuts down");
            Arc::clone(places).acquire_owned().await.map_err(closed)
        };
        Ok([place(&self.connections).await?, place(&self.shared.connections).await?])
    }

    async fn open(&self, uri: &Uri, places: [OwnedSemaphorePermit; 2]) -> Result<Open, EgressError> {
        let host = uri.host().unwrap_or_default();
        let is_https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let addresses = self.shared.names.resolve(host).await?;
        self.check(host, &addresses)?;
        let stream = reach(host, port, &addresses).await?;
        let (stream, is_http2) = if is_https {
            let stream = self.encrypt(host, stream).await?;
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            (Either::Right(Box::new(stream)), is_http2)
        } else {
            (Either::Left(stream), false)
        };
        Ok(Open { io: TokioIo::new(stream), is_http2, _places: places })
    }

    /// One address that must not be reached is enough: who gives a name two kinds of addresses means no good.
    fn check(&self, host: &str, addresses: &[IpAddr]) -> Result<(), EgressError> {
        if addresses.is_empty() {
            return Err(EgressError::new(Fault::NameNotFound, format!("the name {host} has no address")));
        }
        for address in addresses {
            if let Some(kind) = address::forbidden(*address, &self.networks) {
                let of = if address.to_string() == host.trim_matches(['[', ']']) {
                    String::new()
                } else {
                    format!(" of {host}")
                };
                let why = format!(
                    "the address {address}{of} is not public ({kind}): an operator can open its network to the tenant"
                );
                return Err(EgressError::new(Fault::AddressForbidden, why));
            }
        }
        Ok(())
    }

    async fn encrypt(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, EgressError> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| EgressError::new(Fault::Tls, format!("{host} cannot be the name of a server")))?;
        self.shared.tls.connect(name, stream).await.map_err(|error| {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            let fault = match inner {
                Some(rustls::Error::InvalidCertificate(_)) => Fault::Certificate,
                Some(_) | None => Fault::Tls,
            };
            EgressError::new(fault, format!("TLS with {host} failed: {error}"))
        })
    }
}

/// Connects to the first address that answers, and to nothing but these.
async fn reach(host: &str, port: u16, addresses: &[IpAddr]) -> Result<TcpStream, EgressError> {
    let mut last = None;
    for address in addresses.iter().take(MAX_TRIED) {
        match TcpStream::connect(SocketAddr::new(*address, port)).await {
            Ok(stream) => {
                // A request is a few small writes, and each is wanted at once.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into());
    let fault =
        if error.kind() == io::ErrorKind::ConnectionRefused { Fault::ConnectionRefused } else { Fault::Unreachable };
    Err(EgressError::new(fault, format!("{host} port {port} cannot be reached: {error}")))
}

impl Service<Uri> for Connector {
    type Response = Open;
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<Open, EgressError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), EgressError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

impl Connection for Open {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.is_http2 { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Open {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Open {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
