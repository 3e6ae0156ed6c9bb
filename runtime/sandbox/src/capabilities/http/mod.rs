//! Outbound HTTP: what may leave, how much of it, and what the record says of it.
//!
//! `wasmtime-wasi-http` keeps the guest's resources. Every request passes through [`Outbound::send`], which asks the grants, counts the bytes
//! and keeps the deadlines; it knows neither names nor addresses, which are the embedder's.

mod body;
pub(crate) mod incoming;
mod ledger;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method as AnyMethod, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use model::{HttpCall, Limits, Method};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, IoError};
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx,
    WasiHttpHooks,
};

use crate::egress::{Egress, Fault};
use crate::failure::Stop;
use crate::grants::{Granted, Grants};
use crate::host::Host;
use crate::pace::Pace;
use body::{Patience, ReceivedBody, SentBody};
use ledger::Ledger;
pub(crate) use ledger::Sent;

/// What guests of any 0.2 are linked to.
const OUTGOING_HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";
const TYPES: &str = "wasi:http/types@0.2.12";

/// Requests of one run that wait for their response at once; more wait for their turn.
const IN_FLIGHT: usize = 6;

/// The longest URL.
const MAX_URL_BYTES: usize = 8 << 10;

/// The most that the headers of one message may take, with what they cost in memory.
const MAX_FIELD_BYTES: usize = 16 << 10;

/// What a guest hands over of a body at once.
const CHUNK_BYTES: usize = 16 << 10;

/// Headers that say how a message is framed or forwarded, besides those that `wasmtime-wasi-http` forbids itself: they are ours.
const OURS: [HeaderName; 5] = [header::EXPECT, header::FORWARDED, header::TE, header::TRAILER, header::VIA];

/// A run's side of `wasi:http`, made at its first call.
pub(crate) struct Http {
    pub(crate) context: WasiHttpCtx,
    pub(crate) outbound: Outbound,
}

/// The requests of one run, shared with the tasks that carry them out.
#[derive(Clone)]
pub(crate) struct Outbound(Arc<Inner>);

struct Inner {
    granted: Option<Arc<Granted>>,
    /// When the run must be over.
    deadline: Instant,
    in_flight: Semaphore,
    ledger: Arc<Ledger>,
}

/// Why a request is not sent: what the guest is told, and what the record says.
struct Refusal(Error, String);

impl Http {
    pub(crate) fn new(grants: &Grants, limits: &Limits, pace: &Arc<Pace>) -> Self {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(MAX_FIELD_BYTES);
        let rest = limits.wall_time.saturating_sub(pace.wall_time());
        let inner = Inner {
            granted: grants.granted().cloned(),
            deadline: Instant::now() + rest,
            in_flight: Semaphore::new(IN_FLIGHT),
            ledger: Ledger::new(limits, pace),
        };
        Self { context, outbound: Outbound(Arc::new(inner)) }
    }

    /// Whether a request did not get a good answer: none at all, or one that says that the server failed.
    pub(crate) fn has_failed_call(&self) -> bool {
        self.outbound.0.ledger.has_failed_call()
    }

    /// Every request so far, and what they came to. Those that are still under way end here.
    pub(crate) fn finish(&self) -> (Vec<HttpCall>, Sent) {
        self.outbound.0.ledger.finish()
    }
}

/// `wasi:http/types` and `wasi:http/outgoing-handler`.
pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, WasiHttp>(linker, &types::LinkOptions::default(), Host::wasi_http)?;
    linker.instance(OUTGOING_HANDLER)?.func_wrap(
        "handle",
        |mut store: StoreContextMut<'_, Host>, (request, options)| {
            let host = store.data_mut();
            // Only here can a run be ended that asks too often: what is spawned behind it can only fail.
            if host.http().outbound.0.ledger.count() > host.limits.http_calls {
                return Err(Stop::TooManyHttpCalls.into());
            }
            match outgoing_handler::Host::handle(&mut host.wasi_http(), request, options) {
                Ok(response) => Ok((Ok(response),)),
                Err(error) => Ok((Err(error.downcast()?),)),
            }
        },
    )?;
    // wasmtime-wasi-http 48 looks for a code in a body's error, which has none but is an `Error`: guests would never hear why a body ended.
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap("http-error-code", |mut store: StoreContextMut<'_, Host>, (error,)| {
        let view = store.data_mut().wasi_http();
        let error: &IoError = view.table.get::<IoError>(&error)?;
        let of_body = error.downcast_ref::<Error>().map(body_error_code);
        Ok((of_body.or_else(|| error.downcast_ref::<ErrorCode>().cloned()),))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What a guest is told of the end of a body.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "these are the errors that our bodies end with; the enum is non-exhaustive"
)]
fn body_error_code(error: &Error) -> ErrorCode {
    match error {
        Error::HttpResponseBodySize(limit) => ErrorCode::HttpResponseBodySize(*limit),
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::HttpResponseTimeout => ErrorCode::HttpResponseTimeout,
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        _ => ErrorCode::HttpProtocolError,
    }
}

impl WasiHttpHooks for Outbound {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name) || OURS.contains(name))
    }

    /// The client sets it, from the very URL that was checked.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send> {
        let outbound = self.clone();
        Box::new(async move {
            let response = outbound.send(request, options.unwrap_or_default()).await?;
            Ok((response, Box::new(std::future::ready(Ok(()))) as Io))
        })
    }
}

/// What goes on beside the response; with us nothing does.
type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl Outbound {
    async fn send(self, request: Request<WasiBody>, options: RequestOptions) -> Result<Response<WasiBody>, Error> {
        let (mut head, body) = request.into_parts();
        let url = url(&head.uri);
        let entry = Arc::new(self.0.ledger.note(&head.method, &head.uri, url.as_ref().ok()));
        let body = SentBody::new(body, &entry, self.0.deadline);
        let (uri, egress) = match url.and_then(|url| self.admit(&head.method, &url)) {
            Ok(admitted) => admitted,
            Err(Refusal(error, why)) => {
                entry.refuse(&why);
                return Err(error);
            }
        };
        head.uri = uri;
        // Until the response begins: a guest that still sends its seventh request has read none of the others. Nothing closes the semaphore; were
        // it closed, there would only be no bound.
        let turn = self.0.in_flight.acquire().await;
        let rest = self.patience();
        let first_byte = options.first_byte_timeout.map_or(rest, |asked| asked.min(rest));
        let unsent = body.unsent();
        let sending = egress.send(Request::from_parts(head, body.boxed_unsync()));
        let response = match tokio::time::timeout(first_byte, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.fault == Fault::AddressForbidden => {
                entry.refuse(&error.detail);
                return Err(guest_error(error.fault));
            }
            Ok(Err(error)) => {
                return Err(entry.sent_too_much().unwrap_or_else(|| entry.fail(guest_error(error.fault), error)));
            }
            Err(_elapsed) => {
                let why = format!("there was no response within {}", shown(first_byte));
                return Err(entry.fail(Error::HttpResponseTimeout, why));
            }
        };
        drop(turn);
        entry.answer(response.status().as_u16());
        let rest = self.patience();
        let idle = options.between_bytes_timeout.map_or(rest, |asked| asked.min(rest));
        let patience = Patience::from_now(idle, rest);
        unsent.give_up_in_time(patience);
        Ok(response.map(|body| ReceivedBody::new(body, entry, patience).boxed_unsync()))
    }

    /// Whether this may be asked for at all; then the one form of its URL that was checked and is sent, and the way out for it.
    fn admit(&self, method: &AnyMethod, url: &Url) -> Result<(Uri, Arc<dyn Egress>), Refusal> {
        let Ok(method) = method.as_str().parse::<Method>() else {
            let why = format!("the method {} is not served", method.as_str().escape_debug());
            return Err(Refusal(Error::HttpRequestMethodInvalid, why));
        };
        let uri = url.as_str().parse();
        let uri = uri.map_err(|error| Refusal(Error::HttpRequestUriInvalid, format!("its URL is invalid: {error}")))?;
        let denied = |why: String| Err(Refusal(Error::HttpRequestDenied, why));
        let origin = url.origin().ascii_serialization();
        let not_granted = || {
            format!(
                "{origin} is not granted: it takes the grant http:{origin}, or one for an enabled connection to there"
            )
        };
        let Some(granted) = &self.0.granted else { return denied(not_granted()) };
        if let Some(authorized) = granted.egress.by_connection(url) {
            return Ok((uri, authorized));
        }
        let of_origin: Vec<_> = granted.http.iter().filter(|grant| grant.is_origin_of(url)).collect();
        if of_origin.is_empty() {
            return denied(not_granted());
        }
        if !of_origin.iter().any(|grant| grant.allows(method, url)) {
            return denied(format!("{} is not granted for {origin}", method.name()));
        }
        Ok((uri, Arc::clone(&granted.egress)))
    }

    /// The longest that anything is waited for now: a tenth of the rest is left to the guest, so that it can say that a service is slow.
    fn patience(&self) -> Duration {
        self.0.deadline.saturating_duration_since(Instant::now()).mul_f64(0.9)
    }
}

/// The one reading of what a guest asks for.
fn url(uri: &Uri) -> Result<Url, Refusal> {
    let text = uri.to_string();
    if text.len() > MAX_URL_BYTES {
        let why = format!("its URL is longer than {}", bytesize::ByteSize(MAX_URL_BYTES as u64));
        return Err(Refusal(Error::HttpRequestUriTooLong, why));
    }
    let invalid = |why: String| Refusal(Error::HttpRequestUriInvalid, why);
    let url = Url::parse(&text).map_err(|error| invalid(format!("its URL is invalid: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("its URL holds a user name or a password".to_owned()));
    }
    if url.host().is_none() {
        return Err(invalid("its URL has no host".to_owned()));
    }
    Ok(url)
}

fn guest_error(fault: Fault) -> Error {
    let dns = |rcode: &str| Error::DnsError { rcode: Some(rcode.to_owned()), info_code: None };
    match fault {
        Fault::NameNotFound => dns("NXDOMAIN"),
        Fault::NameTimedOut => Error::DnsTimeout,
        Fault::AddressForbidden => Error::DestinationIpProhibited,
        Fault::ConnectionRefused => Error::ConnectionRefused,
        Fault::Unreachable => Error::DestinationUnavailable,
        Fault::ConnectTimedOut => Error::ConnectionTimeout,
        Fault::TooManyConnections => Error::ConnectionLimitReached,
        Fault::Certificate => Error::TlsCertificateError,
        Fault::Tls => Error::TlsProtocolError,
        Fault::Protocol => Error::HttpProtocolError,
        Fault::HeadersTooLarge => Error::HttpResponseHeaderSectionSize(None),
        Fault::Incomplete => Error::HttpResponseIncomplete,
        Fault::NoCredential => Error::InternalError(Some("the connection's credential could not be had".to_owned())),
    }
}

fn shown(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}
