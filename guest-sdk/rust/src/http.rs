//! Requests over HTTP, to origins that the node's revision is granted.
//!
//! The host makes the connection, so there is nothing to set up and nothing to pool here. What is not granted is refused, and the run's record
//! says so; a redirect is a response like any other. Keys and tokens are best left to a *connection* of the tenant's: the host adds them to the
//! request, so that the code neither has them nor can lose them.
//! ```
//! use codenode::{Error, Event, Reply, http};
//!
//! #[derive(serde::Deserialize)]
//! struct Order {
//!     status: String,
//! }
//!
//! fn handle(event: Event) -> Result<Reply, Error> {
//!     let id = event.entities.text("order_id").ok_or("no order was named")?;
//!     let order: Order = http::Request::get("https://api.example.com/orders").query("id", id).send()?.checked()?.json()?;
//!     Ok(Reply::text(order.status))
//! }
//!
//! # fn main() {
//! // In a unit test, natively:
//! use codenode::testing;
//! let _http = testing::http(|request| {
//!     assert_eq!(request.url(), "https://api.example.com/orders?id=4711");
//!     http::Response::of_json(200, &codenode::json!({ "status": "shipped" }))
//! });
//! assert_eq!(testing::run(handle, testing::event("ORDER").entity("order_id", "4711")).texts(), ["shipped"]);
//! # }
//! ```

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A request that is being put together.
#[derive(Clone, Debug)]
pub struct Request {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Option<Duration>,
    problem: Option<String>,
}

/// A response that came, whatever its status. Its body is there as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// Why there is no response, or not the one that was wanted. Its text never holds the URL's query, nor a password before its host.
///
/// Where the service is to blame, a handler that passes it on with `?` breaks with the cause `upstream_failed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The request cannot be sent as it is.
    Invalid(String),
    /// The host does not let it out: it is not granted, or leads where no guest may go.
    Refused(String),
    /// The service was not reached, or did not answer well.
    Failed(String),
    /// There was no answer in time.
    TimedOut(String),
    /// The service answered with this status; see [`Response::checked`].
    Status(u16, String),
    /// The body is not what it was read as.
    Unreadable(String),
}

/// Gets a URL.
///
/// # Errors
/// If there is no response at all; any status is one.
pub fn get(url: impl Into<String>) -> Result<Response, Error> {
    Request::get(url).send()
}

/// Sends all of these at once, and waits for all; the results are in the order of the requests.
pub fn all(requests: impl IntoIterator<Item = Request>) -> Vec<Result<Response, Error>> {
    let under_way: Vec<_> = requests.into_iter().map(|request| request.ready().and_then(backend::start)).collect();
    under_way.into_iter().map(|started| started.and_then(backend::finish)).collect()
}

macro_rules! methods {
    ($($(#[$doc:meta])* $function:ident = $name:literal;)*) => {
        $($(#[$doc])*
        pub fn $function(url: impl Into<String>) -> Self {
            Self::new($name, url.into())
        })*
    };
}

impl Request {
    methods! {
        /// `GET`
        get = "GET";
        /// `HEAD`
        head = "HEAD";
        /// `POST`
        post = "POST";
        /// `PUT`
        put = "PUT";
        /// `PATCH`
        patch = "PATCH";
        /// `DELETE`
        delete = "DELETE";
    }

    fn new(method: &'static str, url: String) -> Self {
        Self { method, url, headers: Vec::new(), body: Vec::new(), timeout: None, problem: None }
    }

    /// Adds a parameter to the query, escaped, before the URL's fragment if it has one.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        let fragment = self.url.find('#').map(|at| self.url.split_off(at)).unwrap_or_default();
        if !self.url.ends_with(['?', '&']) {
            self.url.push(if self.url.contains('?') { '&' } else { '?' });
        }
        escape(name, &mut self.url);
        self.url.push('=');
        escape(&value.to_string(), &mut self.url);
        self.url.push_str(&fragment);
        self
    }

    /// Adds a header. `Host` and the headers that frame a message are the host's.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends these bytes.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends this as JSON.
    #[must_use]
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.body = body,
            Err(error) => self.problem = Some(format!("its body is no JSON: {error}")),
        }
        self.header("content-type", "application/json")
    }

    /// Waits no longer than this for the response to begin, and for each part of it. Without, nine tenths of the time that the run has left.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it, and waits for the whole response.
    ///
    /// # Errors
    /// If there is no response at all; any status is one.
    pub fn send(self) -> Result<Response, Error> {
        self.ready().and_then(backend::start).and_then(backend::finish)
    }

    /// Its method.
    pub const fn method(&self) -> &str {
        self.method
    }

    /// Its URL, with its query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is sent.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// A header that was added.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn ready(self) -> Result<Self, Error> {
        let (_, authority, _) = self.parts();
        let problem = if authority.contains('@') { Some(HOLDS_A_PASSWORD) } else { self.problem.as_deref() };
        match problem {
            Some(problem) => Err(Error::Invalid(format!("{}: {problem}", self.shown()))),
            None => Ok(self),
        }
    }

    /// For messages: no query, and nobody's name or password, for these are not for everybody to read.
    fn shown(&self) -> String {
        let (scheme, authority, path) = self.parts();
        format!("{} {scheme}{}{path}", self.method, authority.rsplit('@').next().unwrap_or_default())
    }

    /// Where it leads, as a grant has it: `https://api.example.com:8443`.
    #[cfg(any(target_arch = "wasm32", test))]
    fn origin(&self) -> String {
        let (scheme, authority, _) = self.parts();
        format!("{scheme}{authority}").to_ascii_lowercase()
    }

    /// Of the URL what stands before its query: `https://`, the authority, and the path.
    fn parts(&self) -> (&str, &str, &str) {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = url.split_at(url.find("://").map_or(0, |at| at + "://".len()));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        (scheme, authority, path)
    }
}

impl Response {
    /// A response without a body; for unit tests.
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// A response with this as its JSON; for unit tests.
    pub fn of_json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { status, headers: vec![("content-type".to_owned(), b"application/json".to_vec())], body }
    }

    /// The status: 200, 404 …
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 200 to 299.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The first header of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// Itself, if its status is 200 to 299.
    ///
    /// # Errors
    /// [`Error::Status`].
    pub fn checked(self) -> Result<Self, Error> {
        if self.is_success() {
            return Ok(self);
        }
        let text: String = String::from_utf8_lossy(&self.body).chars().take(200).collect();
        Err(Error::Status(self.status, text))
    }

    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.body).map_err(|error| Error::Unreadable(format!("the response is no text: {error}")))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is no JSON, or none of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Error::Unreadable(format!("the response (status {}) cannot be read as JSON: {error}", self.status))
        })
    }
}

/// Why a URL with a user's name before its host is not sent: what it means is not the same for everybody, and it would be logged by many.
const HOLDS_A_PASSWORD: &str = "its URL holds a user's name or password: send them in the header \
    `Authorization`, or leave them to a connection of the tenant's";

/// How an error begins that the host tells from the handler's own, as `codenode:node/code-node` says.
const UPSTREAM: &str = "upstream: ";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) | Self::Refused(why) | Self::Unreadable(why) => f.write_str(why),
            Self::Failed(why) | Self::TimedOut(why) => write!(f, "{UPSTREAM}{why}"),
            Self::Status(status, text) => {
                let upstream = if *status >= 500 { UPSTREAM } else { "" };
                write!(f, "{upstream}the service answered with status {status}")?;
                if text.is_empty() { Ok(()) } else { write!(f, ": {text}") }
            }
        }
    }
}

impl std::error::Error for Error {}

/// Everything but what RFC 3986 leaves unreserved.
fn escape(text: &str, url: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

#[cfg(target_arch = "wasm32")]
#[path = "http/host.rs"]
mod backend;

/// Natively a test answers, at once.
#[cfg(not(target_arch = "wasm32"))]
mod backend {
    use super::{Error, Request, Response};

    pub(super) fn start(request: Request) -> Result<Response, Error> {
        let shown = request.shown();
        crate::testing::answered(&request).ok_or_else(|| {
            Error::Refused(format!(
                "{shown}: nothing is granted in a unit test; answer it with `codenode::testing::http`"
            ))
        })
    }

    pub(super) const fn finish(response: Response) -> Result<Response, Error> {
        Ok(response)
    }
}

#[cfg(test)]
mod tests;
