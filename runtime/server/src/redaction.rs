//! Secrets are found in texts as they stand, and as they look in URLs, in JSON, in hexadecimal digits and in base64, alone or amid other bytes.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

const REDACTED: &str = "[redacted]";

/// Finds secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor(Option<AhoCorasick>);

impl Redactor {
    /// The shortest secret: what is shorter would be found where it is none.
    pub(crate) const MIN_BYTES: usize = 8;

    /// For these secrets, all of which are long enough.
    pub(crate) fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let looks: Vec<String> = secrets.into_iter().flat_map(looks).collect();
        // The case of hexadecimal digits is anybody's choice. It fails past four billion states, which these few texts cannot come to.
        let mut finder = AhoCorasick::builder();
        finder.ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest);
        Self(finder.build(looks).ok())
    }

    /// The text without the secrets; `None`: there are none in it.
    pub(crate) fn redact(&self, text: &str) -> Option<String> {
        let finder = self.0.as_ref()?;
        if !finder.is_match(text) {
            return None;
        }
        let mut redacted = String::with_capacity(text.len());
        finder.replace_all_with(text, &mut redacted, |_, _, out| {
            out.push_str(REDACTED);
            true
        });
        Some(redacted)
    }
}

/// Whether this is long enough to be told from other text.
pub(crate) const fn is_long(secret: &str) -> bool {
    secret.len() >= Redactor::MIN_BYTES
}

/// How a secret may look.
fn looks(secret: &str) -> Vec<String> {
    let in_json = serde_json::to_string(secret).unwrap_or_default();
    let mut looks = vec![
        secret.to_owned(),
        in_json.trim_matches('"').to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        hex::encode(secret),
    ];
    // In base64 it depends on how many bytes stand before it; the digits that it shares with its neighbours are not its own.
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret.as_bytes());
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        looks.extend(
            [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]
                .into_iter()
                .filter_map(|encoded| encoded.get(first..last).map(ToOwned::to_owned)),
        );
    }
    looks
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const SECRET: &str = "s3cr\"et/k+ey~ö";

    fn redact(text: &str) -> String {
        Redactor::new([SECRET]).redact(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let encoded = utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string();
        for look in [
            SECRET.to_owned(),
            encoded.to_lowercase(),
            encoded,
            hex::encode(SECRET).to_uppercase(),
            "s3cr\\\"et/k+ey~ö".to_owned(),
        ] {
            assert_eq!(redact(&format!("a {look} b {look}")), "a [redacted] b [redacted]", "{look}");
        }
    }

    #[test]
    fn in_base64_it_is_found_wherever_it_begins() {
        for before in ["", "u", "us", "use", "user:"] {
            for after in ["", ".", "..", "..."] {
                let text = STANDARD.encode(format!("{before}{SECRET}{after}"));
                let redacted = redact(&text);
                assert!(redacted.contains(REDACTED), "{before}{after}: {text}");
                // What stands around it, the digits that are shared, and the padding.
                let around = (before.len() + after.len()) * 4 / 3 + 5;
                assert!(redacted.len() <= REDACTED.len() + around, "{redacted}");
            }
        }
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        assert_eq!(Redactor::new([SECRET]).redact("s3cr et/k"), None);
        assert_eq!(Redactor::default().redact("x"), None);
    }
}
