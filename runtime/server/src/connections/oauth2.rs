//! Tokens of OAuth 2.0's client credentials: fetched when they are needed, kept, and fetched anew before they expire or when one is refused.
//!
//! One request at a time fetches, and the others wait for what it gets. Requests for tokens go out as those of guests do: by the tenant's
//! connections, to addresses that were checked.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Limited};
use model::ClientAuth;
use oauth2::basic::{BasicClient, BasicRequestTokenError, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    RequestTokenError, Scope, TokenResponse as _, TokenUrl,
};
use sandbox::egress::{Egress, EgressError};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::{body, no_credential};
use crate::per_tenant::Former;
use crate::redaction::Redactor;

/// For which a token is waited for, if the run has as long.
const FETCH_TIME: Duration = Duration::from_secs(10);
/// For which nobody tries again what was tried just now.
const RETRY_TIME: Duration = Duration::from_secs(1);
/// A token is not used in the last part of its life: this long, or a fifth of it.
const MARGIN: Duration = Duration::from_secs(60);
/// The largest answer with a token in it.
const ANSWER_BYTES: usize = 64 << 10;
/// The longest token, as it fits into a header.
const TOKEN_BYTES: usize = 8 << 10;

type Client = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

type Asked = Result<BasicTokenResponse, BasicRequestTokenError<EgressError>>;
type Asking = Pin<Box<dyn Future<Output = Asked> + Send>>;

/// The tokens of one connection.
pub(crate) struct Tokens {
    client: Client,
    scopes: Vec<Scope>,
    secret: Zeroizing<String>,
    kept: Mutex<Kept>,
    /// The client's secret, and the tokens that requests may have been sent with of late.
    hidden: ArcSwap<Redactor>,
}

#[derive(Default)]
struct Kept {
    token: Option<Arc<Token>>,
    /// Those before it: no more than one a second is replaced.
    former: Former<Arc<Token>>,
    /// How it failed the last time.
    failed: Option<(Instant, EgressError)>,
}

/// What a request is sent with.
pub(super) struct Token {
    text: String,
    header: HeaderValue,
    fetched_at: Instant,
    /// `None`: the server did not say, so it is good until it is refused.
    until: Option<Instant>,
}

/// What requests for tokens go out by.
struct WayOut(Arc<dyn Egress>);

impl Tokens {
    pub(super) fn new(
        token_url: &str,
        client_id: &str,
        scopes: &[String],
        client_auth: ClientAuth,
        secret: &str,
    ) -> Result<Self, String> {
        if client_id.is_empty() {
            return Err("`client_id` is empty: give the one that the service knows you by".to_owned());
        }
        let is_token = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if let Some(wrong) = scopes.iter().find(|scope| scope.is_empty() || !scope.bytes().all(is_token)) {
            return Err(format!("`{}` is no scope: give each of them by itself", wrong.escape_debug()));
        }
        let auth = match client_auth {
            ClientAuth::Header => AuthType::BasicAuth,
            ClientAuth::Body => AuthType::RequestBody,
        };
        let client = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_token_uri(checked(token_url)?)
            .set_auth_type(auth);
        Ok(Self {
            client,
            scopes: scopes.iter().cloned().map(Scope::new).collect(),
            secret: secret.to_owned().into(),
            kept: Mutex::default(),
            hidden: ArcSwap::from_pointee(Redactor::new([secret])),
        })
    }

    /// The token that is good now.
    pub(super) async fn current(&self, way_out: &Arc<dyn Egress>) -> Result<Arc<Token>, EgressError> {
        self.other_than(None, way_out).await
    }

    /// A token instead of this one, which was refused; `None` where this one is brand-new, so that another one would be refused as well.
    pub(super) async fn instead_of(
        &self,
        refused: &Arc<Token>,
        way_out: &Arc<dyn Egress>,
    ) -> Result<Option<Arc<Token>>, EgressError> {
        if refused.fetched_at.elapsed() < RETRY_TIME {
            return Ok(None);
        }
        self.other_than(Some(refused), way_out).await.map(Some)
    }

    pub(super) fn redact(&self, text: &str) -> Option<String> {
        self.hidden.load().redact(text)
    }

    async fn other_than(
        &self,
        refused: Option<&Arc<Token>>,
        way_out: &Arc<dyn Egress>,
    ) -> Result<Arc<Token>, EgressError> {
        let mut kept = self.kept.lock().await;
        let is_other = |token: &&Arc<Token>| refused.is_none_or(|refused| !Arc::ptr_eq(refused, token));
        if let Some(token) = kept.token.as_ref().filter(is_other).filter(|token| token.is_good()) {
            return Ok(Arc::clone(token));
        }
        if let Some((_, why)) = kept.failed.as_ref().filter(|(at, _)| at.elapsed() < RETRY_TIME) {
            return Err(why.clone());
        }
        match self.fetch(way_out).await {
            Ok(token) => {
                let token = Arc::new(token);
                let before = kept.token.replace(Arc::clone(&token));
                kept.former = kept.former.and(before);
                kept.failed = None;
                let tokens = kept.former.iter().chain([&token]);
                let secrets = tokens.map(|token| token.text.as_str()).chain([self.secret.as_str()]);
                self.hidden.store(Arc::new(Redactor::new(secrets)));
                Ok(token)
            }
            Err(why) => {
                let why = EgressError { detail: self.redact(&why.detail).unwrap_or(why.detail), ..why };
                kept.failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }

    /// The client with its secret, which the library does not wipe from memory.
    fn client(&self) -> Client {
        self.client.clone().set_client_secret(ClientSecret::new(self.secret.to_string()))
    }

    async fn fetch(&self, way_out: &Arc<dyn Egress>) -> Result<Token, EgressError> {
        let asking = ask(self.client(), self.scopes.clone(), WayOut(Arc::clone(way_out)));
        let asked_at = Instant::now();
        let failed = |why: String| no_credential(format!("{} gave no token: {why}", self.client.token_uri().as_str()));
        let Ok(answer) = timeout(FETCH_TIME, asking).await else {
            return Err(failed(format!("it did not answer within {}", humantime::format_duration(FETCH_TIME))));
        };
        let answer = answer.map_err(|error| failed(why(error)))?;
        let text = answer.access_token().secret().clone();
        let header = HeaderValue::try_from(format!("Bearer {text}"));
        let Ok(mut header) = header
            .map_err(drop)
            .and_then(|header| if text.is_empty() || text.len() > TOKEN_BYTES { Err(()) } else { Ok(header) })
        else {
            return Err(failed("what it calls one fits into no header".to_owned()));
        };
        header.set_sensitive(true);
        let until = answer.expires_in().map(|time| asked_at + time.saturating_sub(MARGIN.min(time / 5)));
        Ok(Token { text, header, fetched_at: Instant::now(), until })
    }
}

impl Token {
    /// The request with this token, whatever the guest wrote in its place.
    pub(super) fn on(&self, request: &Request<Bytes>) -> Request<Bytes> {
        let mut request = request.clone();
        request.headers_mut().insert(AUTHORIZATION, self.header.clone());
        request
    }

    fn is_good(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

fn checked(token_url: &str) -> Result<TokenUrl, String> {
    let wrong = |why: &str| format!("`{}` is no URL of a token endpoint: {why}", token_url.escape_debug());
    let url = TokenUrl::new(token_url.to_owned())
        .map_err(|error| wrong(&error.source().map_or_else(|| error.to_string(), ToString::to_string)))?;
    let parsed = url.url();
    if !matches!(parsed.scheme(), "https" | "http") {
        return Err(wrong("it begins with https:// or http://"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.fragment().is_some() {
        return Err(wrong("it has neither a user nor a password nor a fragment"));
    }
    Ok(url)
}

/// It owns what it needs, for the library's types are `Send` only so.
fn ask(client: Client, scopes: Vec<Scope>, way_out: WayOut) -> Asking {
    Box::pin(async move { client.exchange_client_credentials().add_scopes(scopes).request_async(&way_out).await })
}

impl<'c> AsyncHttpClient<'c> for WayOut {
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, EgressError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(answer(request, &self.0))
    }
}

async fn answer(request: HttpRequest, way_out: &Arc<dyn Egress>) -> Result<HttpResponse, EgressError> {
    let (head, sent) = request.into_parts();
    let response = way_out.send(Request::from_parts(head, body(sent.into()))).await?;
    let (head, received) = response.into_parts();
    let received = Limited::new(received, ANSWER_BYTES).collect().await;
    let received = received.map_err(|error| no_credential(format!("its answer cannot be read: {error}")))?;
    Ok(http::Response::from_parts(head, received.to_bytes().to_vec()))
}

/// What went wrong, without what the server sent besides.
fn why(error: BasicRequestTokenError<EgressError>) -> String {
    match error {
        RequestTokenError::ServerResponse(refusal) => {
            let described = refusal.error_description().map(|text| format!(" ({text})")).unwrap_or_default();
            format!("it says {}{described}", refusal.error())
        }
        RequestTokenError::Request(error) => error.detail,
        RequestTokenError::Parse(error, _) => format!("its answer is no token: {error}"),
        RequestTokenError::Other(why) => why,
    }
}
