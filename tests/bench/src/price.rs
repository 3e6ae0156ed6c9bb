//! The job itself, as one writes it natively: verify the signature, parse the event, look the product up, answer.

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::Sha1;

/// The event that every contestant gets: 594 bytes.
pub const EVENT: &str = include_str!("../event.json");

/// What every contestant must answer to it.
pub const REPLY: &str = r#"{"status":true,"response":["The price of the speaker is ₹1500."]}"#;

/// What every contestant shares with the platform.
pub const SECRET: &str = "a-secret-that-only-the-bench-knows";

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    entities: Entities<'a>,
}

#[derive(Deserialize)]
struct Entities<'a> {
    #[serde(borrow, default)]
    product_name: Vec<Entity<'a>>,
}

#[derive(Deserialize)]
struct Entity<'a> {
    entity_value: &'a str,
}

#[derive(serde::Serialize)]
struct Reply {
    status: bool,
    response: [&'static str; 1],
}

/// Answers one event.
///
/// # Errors
/// The event is not JSON, or of another shape.
pub fn answer(event: &[u8]) -> serde_json::Result<Vec<u8>> {
    let event: Event<'_> = serde_json::from_slice(event)?;
    let (status, text) = match event.entities.product_name.first().map(|entity| entity.entity_value) {
        Some("speaker") => (true, "The price of the speaker is ₹1500."),
        Some("powerbank") => (true, "The price of the powerbank is ₹1000."),
        _ => (false, "Sorry, we don't sell that."),
    };
    serde_json::to_vec(&Reply { status, response: [text] })
}

#[derive(Deserialize)]
struct LongEvent {
    entities: Quantities,
}

#[derive(Deserialize)]
struct Quantities {
    quantity: Vec<Quantity>,
}

#[derive(Deserialize)]
struct Quantity {
    entity_value: usize,
}

#[derive(serde::Serialize)]
struct LongReply {
    status: bool,
    response: Vec<&'static str>,
}

/// Answers one event with as many messages as it asks for.
///
/// # Errors
/// The event is not JSON, or of another shape.
pub fn answer_at_length(event: &[u8]) -> serde_json::Result<Vec<u8>> {
    let event: LongEvent = serde_json::from_slice(event)?;
    let messages = event.entities.quantity.first().map_or(0, |quantity| quantity.entity_value);
    serde_json::to_vec(&LongReply { status: true, response: vec!["The price of the speaker is ₹1500."; messages] })
}

/// The secret, ready to sign and verify.
#[derive(Clone)]
pub struct Key(Hmac<Sha1>);

impl Key {
    /// The key of this secret.
    ///
    /// # Panics
    /// Never: HMAC takes keys of every length.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    pub fn new(secret: &str) -> Self {
        Self(Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of every length"))
    }

    /// The value of `X-Hub-Signature` for this body.
    pub fn sign(&self, body: &[u8]) -> String {
        format!("sha1={}", hex::encode(self.0.clone().chain_update(body).finalize().into_bytes()))
    }

    /// Whether `header` is the signature of this body, in constant time.
    pub fn verifies(&self, header: &[u8], body: &[u8]) -> bool {
        let mut claimed = [0; 20];
        let is_hex = header.strip_prefix(b"sha1=").is_some_and(|hex| hex::decode_to_slice(hex, &mut claimed).is_ok());
        is_hex && self.0.clone().chain_update(body).verify_slice(&claimed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_signed_verified_and_answered() {
        let key = Key::new(SECRET);
        assert_eq!(EVENT.len(), 594);
        assert!(key.verifies(key.sign(EVENT.as_bytes()).as_bytes(), EVENT.as_bytes()));
        assert!(!key.verifies(key.sign(b"another").as_bytes(), EVENT.as_bytes()));
        assert_eq!(answer(EVENT.as_bytes()).unwrap(), REPLY.as_bytes());
        assert_eq!(answer_at_length(EVENT.as_bytes()).unwrap(), REPLY.as_bytes());
    }
}
