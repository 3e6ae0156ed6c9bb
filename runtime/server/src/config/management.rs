//! `[management]`: where operators look in.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::document::Section;
use super::secret;

/// A token that can be guessed protects nothing.
const MIN_TOKEN_BYTES: usize = 16;

/// The listener of `/v1/…`, the metrics and the health checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Management {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What a caller of `/v1/…` must show; nobody may call without.
    pub token: Option<Token>,
    /// Whether `/metrics`, which names tenants and nodes, answers without the token.
    pub open_metrics: bool,
}

impl Default for Management {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)), token: None, open_metrics: false }
    }
}

impl Management {
    pub(super) fn read(mut section: Section<'_>, files: &mut Vec<PathBuf>) -> Self {
        let default = Self::default();
        let address = "an address with a port, such as \"127.0.0.1:8081\"";
        let token = section.found("token");
        let management = Self {
            listen: section.parsed("listen", address).unwrap_or(default.listen),
            token: token.as_ref().and_then(|found| {
                let text = secret::read(&section, found, files)?;
                if text.len() < MIN_TOKEN_BYTES {
                    let advice =
                        "is too short: use at least 16 characters, such as the output of `openssl rand -hex 32`";
                    section.wrong(found, advice);
                    return None;
                }
                Some(Token::new(text.as_bytes()))
            }),
            open_metrics: section.flag("open_metrics"),
        };
        section.finish();
        management
    }
}

/// A bearer token, kept as its SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// The token with these characters.
    pub fn new(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Whether `shown` is this token; takes the same time whichever byte differs.
    pub fn matches(&self, shown: &[u8]) -> bool {
        let shown: [u8; 32] = Sha256::digest(shown).into();
        bool::from(self.0.ct_eq(&shown))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
