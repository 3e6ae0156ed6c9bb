//! Who signed an event: the three schemes that bot platforms use, checked over the bytes as they came.
//!
//! Nothing here parses the body, and no answer tells what was wrong. Every key comparison takes constant time, and a
//! node that does not exist costs what one that does costs: see [`Verifier::decoy`].
//! Formats: WebSub (`X-Hub-Signature`), GitHub's webhooks (`X-Hub-Signature-256`), Standard Webhooks 1.0.0.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::Output;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha1::Sha1;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

pub use model::{Scheme, UnknownScheme};
pub use secret::{Secret, SecretError};

mod secret;

const HUB: HeaderName = HeaderName::from_static("x-hub-signature");
const HUB_256: HeaderName = HeaderName::from_static("x-hub-signature-256");
const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Secrets of one node: the one in use, and while they are rotated the other one.
const MAX_SECRETS: usize = 2;
/// How far a Standard Webhooks timestamp may be off, either way.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// Signatures looked at in one `webhook-signature`; a sender has one for each of its live secrets.
const MAX_LISTED: usize = 16;
/// The size of a `webhook-id`, which becomes the key of idempotency.
const MAX_ID_BYTES: usize = 256;

/// What a good signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verified<'h> {
    /// The node takes unsigned requests.
    Unsigned,
    Signed {
        /// The strongest accepted one.
        scheme: Scheme,
        /// Which of the node's secrets it was: 0 or 1.
        secret: usize,
        /// The `webhook-id` of a Standard Webhooks message: the same for every delivery of it.
        id: Option<&'h str>,
    },
}

/// Why a request is refused. There are no finer grades: they would tell a forger what to try next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    /// Answered with 400.
    #[error("a signature header is given more than once")]
    Duplicate,
    /// Answered with 401, the same for an unknown tenant or node.
    #[error("no valid signature")]
    Wrong,
}

/// What one node accepts. Keys are scheduled once, here, and not for each event.
#[derive(Clone)]
pub(crate) struct Verifier {
    policy: Policy,
    keys: Vec<Key>,
}

#[derive(Clone, Debug)]
enum Policy {
    /// Signed by one of these schemes at least.
    Signed(Vec<Scheme>),
    Unsigned,
    /// The work is done, and the answer is no.
    Never,
}

/// The keyed states of one secret. All of them are always there, so that the work done for a request hangs on its
/// headers alone, and not on what the node accepts.
#[derive(Clone)]
struct Key {
    sha1: Hmac<Sha1>,
    sha256: Hmac<Sha256>,
    standard: Hmac<Sha256>,
    /// Whether the secret has a key for Standard Webhooks at all.
    is_standard: bool,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("policy", &self.policy).field("secrets", &self.keys.len()).finish()
    }
}

impl Verifier {
    /// For a node that accepts `schemes` under any of `secrets`: none, one, or two while they are rotated. Without
    /// secrets it takes every request if `allow_unsigned`, and none otherwise; with secrets `allow_unsigned` is void.
    ///
    /// # Errors
    /// [`SecretError::TooMany`], [`SecretError::NoScheme`]; [`SecretError::NotStandard`] when only Standard Webhooks are
    /// accepted and a secret is none of theirs.
    pub(crate) fn new(schemes: &[Scheme], secrets: &[Secret], allow_unsigned: bool) -> Result<Self, SecretError> {
        if secrets.is_empty() {
            let decoy = Self::decoy();
            return Ok(if allow_unsigned { Self { policy: Policy::Unsigned, ..decoy } } else { decoy });
        }
        if secrets.len() > MAX_SECRETS {
            return Err(SecretError::TooMany);
        }
        if schemes.is_empty() {
            return Err(SecretError::NoScheme);
        }
        secrets.iter().try_for_each(|secret| secret.serves(schemes))?;
        Ok(Self { policy: Policy::Signed(schemes.to_vec()), keys: secrets.iter().map(Key::new).collect() })
    }

    /// For a node that does not exist: as much work, and always the same answer.
    pub(crate) fn decoy() -> Self {
        let secret = Secret { text: vec![0; 32], standard: None };
        Self { policy: Policy::Never, keys: vec![Key::new(&secret)] }
    }

    /// Judges a request by its headers and its raw body; `now` is only compared to a Standard Webhooks timestamp.
    ///
    /// Each hub header that is present must be right, whether the node needs it or not; so must a Standard Webhooks
    /// signature where the node accepts them. And one of them must be of an accepted scheme.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub(crate) fn verify<'h>(
        &self,
        headers: &'h HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<'h>, SignatureError> {
        let given = Given::read(headers)?;
        if matches!(self.policy, Policy::Unsigned) {
            return Ok(Verified::Unsigned);
        }
        let message = given.message();
        let sha1 = given.hub.map(|value| self.hub_sha1(value, body));
        let sha256 = given.hub_256.map(|value| self.hub_sha256(value, body));
        let standard = given.signature.map(|_| self.standard(message.as_ref()?, body, now));
        let Policy::Signed(accepted) = &self.policy else { return Err(SignatureError::Wrong) };
        let mut best = None;
        for (scheme, verdict) in [(Scheme::Sha1, sha1), (Scheme::Sha256, sha256), (Scheme::Standard, standard)] {
            let is_accepted = accepted.contains(&scheme);
            if !is_accepted && scheme == Scheme::Standard {
                continue;
            }
            let Some(verdict) = verdict else { continue };
            let secret = verdict.ok_or(SignatureError::Wrong)?;
            if is_accepted {
                let id = message.filter(|_| scheme == Scheme::Standard).map(|message| message.id);
                best = Some(Verified::Signed { scheme, secret, id });
            }
        }
        best.ok_or(SignatureError::Wrong)
    }

    /// Which secret signed so, if one did.
    fn hub_sha1(&self, value: &HeaderValue, body: &[u8]) -> Option<usize> {
        let claimed: [u8; 20] = unhex(value.as_bytes().strip_prefix(b"sha1=")?)?;
        self.find(|key| digest(&key.sha1, &[body]).ct_eq(&claimed))
    }

    fn hub_sha256(&self, value: &HeaderValue, body: &[u8]) -> Option<usize> {
        let claimed: [u8; 32] = unhex(value.as_bytes().strip_prefix(b"sha256=")?)?;
        self.find(|key| digest(&key.sha256, &[body]).ct_eq(&claimed))
    }

    fn standard(&self, message: &Message<'_>, body: &[u8], now: SystemTime) -> Option<usize> {
        if message.is_stale(now) {
            return None;
        }
        self.find(|key| {
            let right = digest(&key.standard, &[message.id.as_bytes(), b".", message.timestamp.as_bytes(), b".", body]);
            let one_of = message.signatures().fold(Choice::from(0), |found, claimed| found | right.ct_eq(&claimed));
            one_of & Choice::from(u8::from(key.is_standard))
        })
    }

    /// The first key that fits; all are tried, so that the time doesn't tell which. Before a refusal there are always
    /// as many trials as a node can have secrets: a node whose secret is being replaced takes no longer than a decoy.
    fn find(&self, fits: impl Fn(&Key) -> Choice) -> Option<usize> {
        let tried = self.keys.iter().map(|key| bool::from(fits(key))).enumerate();
        let found = tried.fold(None, |found, (at, fits)| found.or(fits.then_some(at)));
        if found.is_none() {
            for key in self.keys.iter().take(MAX_SECRETS.saturating_sub(self.keys.len())) {
                black_box(bool::from(fits(key)));
            }
        }
        found
    }
}

impl Key {
    fn new(secret: &Secret) -> Self {
        let standard = secret.standard.as_deref();
        Self {
            sha1: keyed(&secret.text),
            sha256: keyed(&secret.text),
            standard: keyed(standard.unwrap_or(&secret.text)),
            is_standard: standard.is_some(),
        }
    }
}

/// The headers that sign a request, each given once at most.
struct Given<'h> {
    hub: Option<&'h HeaderValue>,
    hub_256: Option<&'h HeaderValue>,
    id: Option<&'h HeaderValue>,
    timestamp: Option<&'h HeaderValue>,
    signature: Option<&'h HeaderValue>,
}

impl<'h> Given<'h> {
    fn read(headers: &'h HeaderMap) -> Result<Self, SignatureError> {
        let once = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            let first = values.next();
            if values.next().is_some() { Err(SignatureError::Duplicate) } else { Ok(first) }
        };
        Ok(Self {
            hub: once(&HUB)?,
            hub_256: once(&HUB_256)?,
            id: once(&ID)?,
            timestamp: once(&TIMESTAMP)?,
            signature: once(&SIGNATURE)?,
        })
    }

    /// The Standard Webhooks message, unless there is none or it cannot be right.
    fn message(&self) -> Option<Message<'h>> {
        let id = self.id?.to_str().ok().filter(|id| is_id(id))?;
        let timestamp = self.timestamp?.to_str().ok()?;
        let is_plain = timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let listed = self.signature?.to_str().ok()?;
        is_plain.then_some(Message { id, timestamp, listed })
    }
}

/// The head of a Standard Webhooks message.
#[derive(Clone, Copy, Debug)]
struct Message<'h> {
    id: &'h str,
    timestamp: &'h str,
    listed: &'h str,
}

impl Message<'_> {
    fn is_stale(&self, now: SystemTime) -> bool {
        let sent = self.timestamp.parse().ok().and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        let Some(sent) = sent else { return true };
        let off = now.duration_since(sent).unwrap_or_else(|early| early.duration());
        off > TOLERANCE
    }

    /// The listed signatures of the version that we know.
    fn signatures(&self) -> impl Iterator<Item = [u8; 32]> {
        self.listed.split(' ').take(MAX_LISTED).filter_map(|entry| {
            let mut room = [0; 36];
            let length = STANDARD.decode_slice(entry.strip_prefix("v1,")?, &mut room).ok()?;
            room.get(..length)?.try_into().ok()
        })
    }
}

/// The headers that sign `body`. `id` and `timestamp` are for Standard Webhooks; the hub schemes know no such thing.
///
/// # Errors
/// [`SecretError::NotStandard`] when `secret` is not of the form `whsec_<base64>` and the scheme needs that, and
/// [`SecretError::BadId`].
pub fn sign(
    scheme: Scheme,
    secret: &Secret,
    body: &[u8],
    id: &str,
    timestamp: SystemTime,
) -> Result<Vec<(HeaderName, HeaderValue)>, SecretError> {
    let fields = match scheme {
        Scheme::Sha1 => {
            let digest = digest(&keyed::<Hmac<Sha1>>(&secret.text), &[body]);
            vec![(HUB, format!("sha1={}", hex::encode(digest)))]
        }
        Scheme::Sha256 => {
            let digest = digest(&keyed::<Hmac<Sha256>>(&secret.text), &[body]);
            vec![(HUB_256, format!("sha256={}", hex::encode(digest)))]
        }
        Scheme::Standard => {
            let key = secret.standard.as_deref().ok_or(SecretError::NotStandard)?;
            let seconds = timestamp.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
            let parts = [id.as_bytes(), b".", seconds.as_bytes(), b".", body];
            let signature = STANDARD.encode(digest(&keyed::<Hmac<Sha256>>(key), &parts));
            vec![(ID, id.to_owned()), (TIMESTAMP, seconds), (SIGNATURE, format!("v1,{signature}"))]
        }
    };
    let field = |(name, value)| match HeaderValue::try_from(value) {
        Ok(value) if name != ID || is_id(id) => Ok((name, value)),
        Ok(_) | Err(_) => Err(SecretError::BadId),
    };
    fields.into_iter().map(field).collect()
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn unhex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

fn digest<M: Mac + Clone>(keyed: &M, parts: &[&[u8]]) -> Output<M> {
    let mut mac = keyed.clone();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes()
}

/// HMAC takes keys of every length; the empty one stands for an error that cannot be.
fn keyed<M: KeyInit>(key: &[u8]) -> M {
    M::new_from_slice(key).unwrap_or_else(|_| M::new(&hmac::digest::Key::<M>::default()))
}

#[cfg(test)]
mod tests;
