//! The secrets that events are signed with.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Scheme;

const WHSEC: &str = "whsec_";

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

    /// Whether a node that accepts these schemes can use it.
    pub(crate) fn serves(&self, schemes: &[Scheme]) -> Result<(), SecretError> {
        let only_standard = schemes.iter().all(|scheme| *scheme == Scheme::Standard);
        if only_standard && self.standard.is_none() { Err(SecretError::NotStandard) } else { Ok(()) }
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
