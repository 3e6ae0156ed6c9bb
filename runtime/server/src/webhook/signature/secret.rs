//! The names of the schemes, and the secrets that they sign with.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

const WHSEC: &str = "whsec_";

/// A way to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `X-Hub-Signature: sha1=<hex>`.
    Sha1,
    /// `X-Hub-Signature-256: sha256=<hex>`.
    Sha256,
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    Standard,
}

impl Scheme {
    /// All of them, weakest first.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Standard];

    /// The name in configuration and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Standard => "standard",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No scheme has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no signature scheme; it must be one of: sha1, sha256, standard")]
pub struct UnknownScheme(String);

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(name: &str) -> Result<Self, UnknownScheme> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name).ok_or_else(|| UnknownScheme(name.to_owned()))
    }
}

/// A node's signing secret. Its bytes are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The key of the hub schemes: the secret's text.
    pub(super) text: Vec<u8>,
    /// The key of Standard Webhooks: what follows `whsec_`, decoded.
    pub(super) standard: Option<Vec<u8>>,
}

/// Why a text cannot be a secret, or not the one that is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// An empty key signs for everybody.
    #[error("the secret is empty; set one, or say that this node takes unsigned requests")]
    Empty,
    /// It begins like a Standard Webhooks secret and is none.
    #[error("the secret begins with `whsec_`, but what follows is not base64; copy it again, whole")]
    NotBase64,
    /// None of the accepted schemes can use it.
    #[error("the scheme `standard` needs a secret of the form `whsec_<base64>`")]
    NotStandard,
    /// More than the old and the new one.
    #[error("a node holds at most two live secrets; retire one first")]
    TooMany,
    /// There is a secret, and nothing that would use it.
    #[error("the node has a secret but accepts no signature scheme; name at least one of: sha1, sha256, standard")]
    NoScheme,
    /// A message's id that cannot be sent.
    #[error("the message's id must be printable ASCII, not empty and at most 256 bytes long")]
    BadId,
}

impl Secret {
    /// A secret as its owner wrote it. `whsec_<base64>` serves Standard Webhooks too; the hub schemes take it as text.
    ///
    /// # Errors
    /// [`SecretError::Empty`], [`SecretError::NotBase64`].
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let standard = match text.strip_prefix(WHSEC) {
            Some(encoded) => Some(STANDARD.decode(encoded).map_err(|_| SecretError::NotBase64)?),
            None => None,
        };
        Self::from_bytes(text.as_bytes().to_vec(), standard)
    }

    pub(super) fn from_bytes(text: Vec<u8>, standard: Option<Vec<u8>>) -> Result<Self, SecretError> {
        if text.is_empty() || standard.as_ref().is_some_and(Vec::is_empty) {
            return Err(SecretError::Empty);
        }
        Ok(Self { text, standard })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
