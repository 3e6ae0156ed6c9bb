//! Sealing: what is secret leaves this room encrypted, and bound to the place that it is for.
//!
//! XChaCha20-Poly1305 with a random nonce of 192 bits. The place (tenant, node, id) is authenticated with it, so that a sealed secret moved to
//! another row does not open. Stored as `<key id>:<base64 of nonce and ciphertext>`: the key's id says which master key opens it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Result, StorageError};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// A key that secrets are sealed with: 32 random bytes, written as 64 hexadecimal digits.
#[derive(Clone)]
pub struct MasterKey {
    id: String,
    cipher: XChaCha20Poly1305,
}

/// What the texts of master keys must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 64 hexadecimal digits: make one with `openssl rand -hex 32`")]
pub struct KeyringError;

impl MasterKey {
    /// A fresh key's text, for a file that only this user can read.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`], where the system has no random bytes.
    pub fn generate() -> Result<Zeroizing<String>> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut bytes[..]).map_err(|error| StorageError::unavailable("draw random bytes", error))?;
        Ok(Zeroizing::new(hex::encode(&bytes[..])))
    }

    /// Names the key without telling it: the start of its SHA-256.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl FromStr for MasterKey {
    type Err = KeyringError;

    fn from_str(text: &str) -> std::result::Result<Self, KeyringError> {
        let mut bytes = [0; KEY_BYTES];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| KeyringError)?;
        let id = hex::encode(Sha256::digest(bytes)).chars().take(8).collect();
        let cipher = XChaCha20Poly1305::new(&bytes.into());
        bytes.zeroize();
        Ok(Self { id, cipher })
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// The first key seals, all of them open.
#[derive(Debug)]
pub(crate) struct Keyring(Vec<MasterKey>);

impl Keyring {
    pub(crate) fn new(keys: Vec<MasterKey>) -> Result<Self> {
        if keys.is_empty() {
            return Err(StorageError::Invalid("there is no master key to seal secrets with: configure one".to_owned()));
        }
        Ok(Self(keys))
    }

    /// Seals `secret` for `place`.
    pub(crate) fn seal(&self, secret: &str, place: &str) -> Result<String> {
        let Some(key) = self.0.first() else { return Err(no_key("any")) };
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| StorageError::unavailable("draw random bytes", error))?;
        let payload = Payload { msg: secret.as_bytes(), aad: place.as_bytes() };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed =
            sealed.map_err(|_| StorageError::Invalid("the secret cannot be sealed: it is too long".to_owned()))?;
        Ok(format!("{}:{}", key.id, STANDARD.encode([&nonce[..], &sealed].concat())))
    }

    /// Opens what was sealed for `place`.
    pub(crate) fn open(&self, sealed: &str, place: &str) -> Result<Zeroizing<String>> {
        let damaged = || StorageError::Damaged(format!("the secret of {place} does not open"));
        let (id, sealed) = sealed.split_once(':').ok_or_else(damaged)?;
        let key = self.0.iter().find(|key| key.id == id).ok_or_else(|| no_key(id))?;
        let sealed = STANDARD.decode(sealed).map_err(|_| damaged())?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        let opened = key.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| damaged())?;
        let text = String::from_utf8(opened).map_err(|error| {
            error.into_bytes().zeroize();
            damaged()
        })?;
        Ok(Zeroizing::new(text))
    }

    /// Whether what is sealed so would be sealed with another key today.
    pub(crate) fn is_outdated(&self, sealed: &str) -> bool {
        let id = sealed.split_once(':').map(|(id, _)| id);
        self.0.first().map(MasterKey::id) != id
    }

    /// The id of the key that seals.
    pub(crate) fn current(&self) -> &str {
        self.0.first().map_or("", MasterKey::id)
    }
}

fn no_key(id: &str) -> StorageError {
    StorageError::Invalid(format!("secrets are sealed with the master key {id}, which is not configured: add it back"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> MasterKey {
        digit.repeat(64).parse().unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_place_alone() {
        let keyring = Keyring::new(vec![key("a")]).unwrap();
        let sealed = keyring.seal("it's a secret", "acme/ORDERS/1").unwrap();
        assert!(!sealed.contains("secret"));
        assert_ne!(keyring.seal("it's a secret", "acme/ORDERS/1").unwrap(), sealed, "nonces differ");
        assert_eq!(keyring.open(&sealed, "acme/ORDERS/1").unwrap().as_str(), "it's a secret");
        assert!(matches!(keyring.open(&sealed, "acme/OTHER/1"), Err(StorageError::Damaged(_))));
        let mut bent = sealed.into_bytes();
        let last = bent.len() - 6;
        bent[last] = if bent[last] == b'A' { b'B' } else { b'A' };
        assert!(keyring.open(&String::from_utf8(bent).unwrap(), "acme/ORDERS/1").is_err());
    }

    #[test]
    fn an_older_key_opens_and_the_first_seals() {
        let old = Keyring::new(vec![key("a")]).unwrap();
        let sealed = old.seal("x", "place").unwrap();
        let new = Keyring::new(vec![key("b"), key("a")]).unwrap();
        assert_eq!(new.open(&sealed, "place").unwrap().as_str(), "x");
        assert!(new.is_outdated(&sealed));
        assert!(!new.is_outdated(&new.seal("x", "place").unwrap()));
        let without = Keyring::new(vec![key("b")]).unwrap();
        let error = without.open(&sealed, "place").unwrap_err().to_string();
        assert!(error.contains(key("a").id()) && error.contains("not configured"), "{error}");
    }

    #[test]
    fn a_master_key_is_64_hex_digits_and_is_not_printed() {
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(63)] {
            assert!(text.parse::<MasterKey>().is_err(), "{text}");
        }
        let text = MasterKey::generate().unwrap();
        assert!(!format!("{:?}", text.parse::<MasterKey>().unwrap()).contains(&text[..32]));
        assert!(format!("{}\n", *text).parse::<MasterKey>().is_ok(), "a file's line break is no part of it");
    }
}
