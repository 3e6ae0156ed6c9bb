//! Requests through `wasi:http`.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, HeaderError, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme, http_error_code,
};
use wasip2::io::streams::StreamError;

use super::{Error, Request, Response};
use crate::grant;

/// `wasi:io` takes no more in one blocking write.
const WRITE_BYTES: usize = 4096;
const READ_BYTES: u64 = 64 << 10;

/// A request that is under way.
pub(super) struct Started {
    future: FutureIncomingResponse,
    request: Request,
}

pub(super) fn start(request: Request) -> Result<Started, Error> {
    let invalid = |why: String| Error::Invalid(format!("{}: {why}", request.shown()));
    let (scheme, rest) = request.url.split_once("://").ok_or_else(|| invalid("its URL has no scheme".to_owned()))?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let outgoing = OutgoingRequest::new(fields(&request).map_err(invalid)?);
    let scheme = match scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => Scheme::Other(other.to_owned()),
    };
    let is_set = outgoing.set_method(&method(request.method)).is_ok()
        && outgoing.set_scheme(Some(&scheme)).is_ok()
        && outgoing.set_authority(Some(authority)).is_ok()
        && outgoing.set_path_with_query(Some(&path)).is_ok();
    let body = outgoing.body().ok().filter(|_| is_set).ok_or_else(|| invalid("its URL is invalid".to_owned()))?;
    let options = request.timeout.map(|timeout| {
        let options = RequestOptions::new();
        let nanos = u64::try_from(timeout.as_nanos()).ok();
        // A host that knows no time-outs waits as long as the run lasts.
        let _ = options.set_first_byte_timeout(nanos);
        let _ = options.set_between_bytes_timeout(nanos);
        options
    });
    let future = outgoing_handler::handle(outgoing, options).map_err(|code| error(&request, &code))?;
    send_body(body, &request.body);
    Ok(Started { future, request })
}

pub(super) fn finish(started: Started) -> Result<Response, Error> {
    let Started { future, request } = started;
    let response = loop {
        match future.get() {
            Some(Ok(Ok(response))) => break response,
            Some(Ok(Err(code))) => return Err(error(&request, &code)),
            Some(Err(())) => return Err(Error::Failed(format!("{}: the response was taken twice", request.shown()))),
            None => future.subscribe().block(),
        }
    };
    let (status, headers) = (response.status(), response.headers().entries());
    let body = receive_body(&response, &request)?;
    Ok(Response { status, headers, body })
}

fn fields(request: &Request) -> Result<Fields, String> {
    let fields = Fields::new();
    let append = |name: &str, value: &str| {
        fields.append(name, value.as_bytes()).map_err(|error| match error {
            HeaderError::Forbidden => format!("the header {name} is set by the host"),
            HeaderError::InvalidSyntax | HeaderError::Immutable => format!("the header {name} is invalid"),
        })
    };
    request.headers.iter().try_for_each(|(name, value)| append(name, value))?;
    if !request.body.is_empty() || matches!(request.method, "POST" | "PUT" | "PATCH") {
        append("content-length", &request.body.len().to_string())?;
    }
    Ok(fields)
}

fn method(name: &'static str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        other => Method::Other(other.to_owned()),
    }
}

/// If the host stops to take it, the response says why.
fn send_body(body: OutgoingBody, bytes: &[u8]) {
    if let Ok(stream) = body.write() {
        let _ = bytes.chunks(WRITE_BYTES).try_for_each(|chunk| stream.blocking_write_and_flush(chunk));
    }
    let _ = OutgoingBody::finish(body, None);
}

fn receive_body(response: &IncomingResponse, request: &Request) -> Result<Vec<u8>, Error> {
    let broken = |why: &str| Error::Failed(format!("{}: {why}", request.shown()));
    let body: IncomingBody = response.consume().map_err(|()| broken("the response was read twice"))?;
    let stream = body.stream().map_err(|()| broken("the response was read twice"))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(more) => bytes.extend(more),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(why)) => {
                return Err(match http_error_code(&why) {
                    Some(code) => error(request, &code),
                    None => broken("the connection broke"),
                });
            }
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not told apart here is the service's failure, under WASI's own name"
)]
fn error(request: &Request, code: &ErrorCode) -> Error {
    let because = |why: &str| format!("{}: {why}", request.shown());
    match code {
        ErrorCode::HttpRequestDenied => {
            Error::Refused(because(&grant::missing(format_args!("http:{}", request.origin()))))
        }
        ErrorCode::DestinationIpProhibited => Error::Refused(because("its address is not public")),
        ErrorCode::HttpRequestMethodInvalid => Error::Invalid(because("its method is not served")),
        ErrorCode::HttpRequestUriInvalid => Error::Invalid(because("its URL is invalid")),
        ErrorCode::HttpRequestUriTooLong => Error::Invalid(because("its URL is too long")),
        ErrorCode::HttpRequestBodySize(_) => Error::Invalid(because("the run may not send so much")),
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Error::TimedOut(because("the service did not answer in time")),
        ErrorCode::DnsError(_) => Error::Failed(because("its name has no address")),
        ErrorCode::ConnectionRefused => Error::Failed(because("nobody listens there")),
        ErrorCode::TlsCertificateError => Error::Failed(because("the service's certificate is not good")),
        ErrorCode::HttpResponseIncomplete => Error::Failed(because("the connection broke")),
        ErrorCode::HttpProtocolError => Error::Failed(because("the service broke the rules of HTTP")),
        ErrorCode::InternalError(Some(why)) => Error::Failed(because(why)),
        ErrorCode::HttpResponseBodySize(_) => Error::Failed(because("the response is larger than the run may receive")),
        other => Error::Failed(because(&format!("{other:?}"))),
    }
}
