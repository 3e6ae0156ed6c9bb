//! The way out, as the sandbox needs it. It decides what may leave; whoever embeds it resolves names, checks addresses and connects.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use url::Url;

/// Sends the requests of guests.
pub trait Egress: Send + Sync {
    /// Sends one request, whose URL is absolute, whose origin is granted and whose headers are such as a guest may set; follows no redirect.
    /// The caller stops to wait by dropping the future or the body.
    fn send(&self, request: http::Request<RequestBody>) -> Sending<'_>;

    /// The way out for a request to `url` by one of the revision's connections, if one is for its origin: it adds the credential.
    fn by_connection(&self, url: &Url) -> Option<Arc<dyn Egress>>;

    /// The text without what is secret of the revision's connections; `None`: nothing of it is.
    fn redact(&self, text: &str) -> Option<String>;
}

/// A request on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<http::Response<ResponseBody>, EgressError>> + Send + 'a>>;

/// What a guest sends. Its error ends the request.
pub type RequestBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// What a guest receives, as it came: nothing is decompressed.
pub type ResponseBody = UnsyncBoxBody<Bytes, EgressError>;

/// Why there is no response, or no more of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct EgressError {
    /// What the guest is told.
    pub fault: Fault,
    /// One line for the record.
    pub detail: String,
}

/// The ways for a request to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The host's name has no address.
    NameNotFound,
    /// The host's name was not resolved in time.
    NameTimedOut,
    /// The host has an address that must not be reached; nothing was connected to.
    AddressForbidden,
    /// Nobody listens there.
    ConnectionRefused,
    /// There is no way there.
    Unreachable,
    /// There was no connection in time.
    ConnectTimedOut,
    /// Too many connections are open already.
    TooManyConnections,
    /// The server's certificate is not good for this name.
    Certificate,
    /// TLS failed otherwise.
    Tls,
    /// The server broke the rules of HTTP.
    Protocol,
    /// The head of the response is larger than is taken.
    HeadersTooLarge,
    /// The connection ended before the response did.
    Incomplete,
    /// The credential could not be had, so nothing was sent.
    NoCredential,
}

impl EgressError {
    /// An error with its line for the record.
    pub fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into() }
    }
}
