//! What a connection adds to a request: read from its settings and its secret once, and ready to be written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use model::{ConnectionSettings, Scheme};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sandbox::egress::EgressError;
use url::Url;
use uuid::Uuid;

use super::no_credential;
use super::oauth2::Tokens;
use crate::hop::OF_A_HOP;
use crate::redaction::{Redactor, is_long};
use crate::signature::{Secret, sign};

/// How requests of a connection prove who asks.
pub(crate) enum Credential {
    /// By a header that is always the same.
    Header(Header),
    /// By a parameter in the query.
    Query(Parameter),
    /// By a signature of the body.
    Signature(Signature),
    /// By a token that is fetched.
    Token(Box<Tokens>),
}

/// A header with a secret in it.
pub(crate) struct Header {
    name: HeaderName,
    value: HeaderValue,
    hidden: Redactor,
}

/// A parameter with a secret in it.
pub(crate) struct Parameter {
    name: String,
    /// As it stands in a URL.
    written: String,
    hidden: Redactor,
}

/// A key that signs.
pub(crate) struct Signature {
    scheme: Scheme,
    secret: Secret,
    hidden: Redactor,
}

impl Credential {
    /// Reads the credential.
    ///
    /// # Errors
    /// Says what of the settings or the secret cannot be used, and what to do.
    pub(crate) fn new(settings: &ConnectionSettings, secret: &str) -> Result<Self, String> {
        must_be_secret(secret)?;
        must_be_path(settings)?;
        let hidden = || Redactor::new([secret]);
        Ok(match &settings.credential {
            model::Credential::Header { header, prefix } => {
                let name =
                    HeaderName::try_from(header.as_str()).map_err(|_| format!("`{header}` is no header's name"))?;
                if OF_A_HOP.contains(&name) {
                    return Err(format!("the header {name} says how a request is framed or routed, and holds no key"));
                }
                Self::Header(Header::new(name, &format!("{prefix}{secret}"), hidden())?)
            }
            model::Credential::Query { parameter } => {
                if parameter.is_empty() {
                    return Err("`parameter` is empty: name the query's parameter, such as api_key".to_owned());
                }
                let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let written = format!("{}={}", encode(parameter), encode(secret));
                Self::Query(Parameter { name: parameter.clone(), written, hidden: hidden() })
            }
            model::Credential::Bearer {} => {
                Self::Header(Header::new(AUTHORIZATION, &format!("Bearer {secret}"), hidden())?)
            }
            model::Credential::Basic {} => {
                let (user, password) =
                    secret.split_once(':').ok_or("the secret of a basic credential is written USER:PASSWORD")?;
                // Either may be what is secret: some services take their key as the user, and any password.
                let hidden = Redactor::new([secret, user, password].into_iter().filter(|part| is_long(part)));
                Self::Header(Header::new(AUTHORIZATION, &format!("Basic {}", STANDARD.encode(secret)), hidden)?)
            }
            model::Credential::OAuth2 { token_url, client_id, scopes, client_auth } => {
                Self::Token(Box::new(Tokens::new(token_url, client_id, scopes, *client_auth, secret)?))
            }
            model::Credential::Signed { scheme } => {
                let key = Secret::new(secret).map_err(|why| why.to_string())?;
                key.serves(&[*scheme]).map_err(|why| why.to_string())?;
                Self::Signature(Signature { scheme: *scheme, secret: key, hidden: hidden() })
            }
        })
    }

    /// The text without what is secret of this; `None`: nothing of it is.
    pub(super) fn redact(&self, text: &str) -> Option<String> {
        match self {
            Self::Header(Header { hidden, .. })
            | Self::Query(Parameter { hidden, .. })
            | Self::Signature(Signature { hidden, .. }) => hidden.redact(text),
            Self::Token(tokens) => tokens.redact(text),
        }
    }
}

impl Header {
    fn new(name: HeaderName, value: &str, hidden: Redactor) -> Result<Self, String> {
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| "the secret has characters that no header can hold: copy it again".to_owned())?;
        value.set_sensitive(true);
        Ok(Self { name, value, hidden })
    }

    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(&self.name, self.value.clone());
    }
}

impl Parameter {
    /// The same URL with this parameter, once.
    pub(super) fn write(&self, uri: &Uri) -> Result<Uri, EgressError> {
        let is_other = |part: &&str| {
            let name = part.split('=').next().unwrap_or_default().replace('+', " ");
            !part.is_empty() && percent_decode_str(&name).decode_utf8_lossy() != self.name.as_str()
        };
        let others = uri.query().unwrap_or_default().split('&').filter(is_other);
        let query: Vec<&str> = others.chain([self.written.as_str()]).collect();
        let mut parts = uri.clone().into_parts();
        let path = format!("{}?{}", uri.path(), query.join("&"));
        parts.path_and_query = Some(path.try_into().map_err(|_| no_credential("the URL is too long for its key"))?);
        Uri::from_parts(parts).map_err(|_| no_credential("the URL has no room for its key"))
    }
}

impl Signature {
    pub(super) fn fields(&self, body: &Bytes) -> Result<Vec<(HeaderName, HeaderValue)>, EgressError> {
        let id = format!("msg_{}", Uuid::now_v7().simple());
        let signed = sign(self.scheme, &self.secret, body, &id, std::time::SystemTime::now());
        signed.map_err(|why| no_credential(format!("the request cannot be signed: {why}")))
    }
}

fn must_be_secret(secret: &str) -> Result<(), String> {
    if !is_long(secret) {
        return Err(format!(
            "the secret has {} bytes: it must have {} at the least",
            secret.len(),
            Redactor::MIN_BYTES
        ));
    }
    if secret.chars().any(char::is_control) {
        return Err("the secret has a line break or another control character in it: copy it again".to_owned());
    }
    Ok(())
}

/// What is tested must be of the connection's own origin.
///
/// # Errors
/// Says how the path is written.
pub(crate) fn must_be_path(settings: &ConnectionSettings) -> Result<(), String> {
    let path = &settings.test_path;
    let url = path.starts_with('/').then(|| Url::parse(&format!("{}{path}", settings.origin)).ok()).flatten();
    match url {
        Some(url) if settings.origin.is_of(&url) => Ok(()),
        Some(_) | None => {
            Err(format!("`{}` is no path of {}: write it as /v1/me", path.escape_debug(), settings.origin))
        }
    }
}
