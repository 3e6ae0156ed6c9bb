//! The headers of an event that a handler of requests may see: all but those that prove who sent it, and those between two hops.

use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::hop::OF_A_HOP;

/// What stands in the names of headers that prove who sent them, or that a proxy adds, which any caller could have written.
const KEPT_BACK: [&str; 13] = [
    "api-key",
    "apikey",
    "authorization",
    "connecting-ip",
    "client-ip",
    "cookie",
    "forwarded",
    "keep-alive",
    "password",
    "proxy-",
    "real-ip",
    "secret",
    "signature",
];

/// The same at their end: what a name only speaks of may be seen.
const KEPT_BACK_END: &str = "token";

/// The headers that may be seen, in their order. A value that is no text is not handed over.
pub(super) fn headers(all: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
    all.iter().filter(|(name, _)| may_be_seen(name)).filter_map(text).collect()
}

fn may_be_seen(name: &HeaderName) -> bool {
    let text = name.as_str();
    // A handler that packs its response would reply with something else than JSON.
    *name != ACCEPT_ENCODING
        && !OF_A_HOP.contains(name)
        && !text.ends_with(KEPT_BACK_END)
        && !KEPT_BACK.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proves_a_sender_or_is_between_two_hops_is_kept_back() {
        let mut all = HeaderMap::new();
        for name in [
            "authorization",
            "cookie",
            "host",
            "x-hub-signature",
            "x-hub-signature-256",
            "webhook-signature",
            "x-forwarded-for",
            "proxy-connection",
            "keep-alive",
            "connection",
            "accept-encoding",
            "x-api-key",
            "x-gitlab-token",
            "x-auth-token",
            "cf-connecting-ip",
            "x-real-ip",
            "token-count",
            "webhook-id",
            "user-agent",
            "x-platform-region",
        ] {
            all.insert(name, HeaderValue::from_static("v"));
        }
        all.insert("x-bytes", HeaderValue::from_bytes(b"\xff").unwrap());
        all.append("x-platform-region", HeaderValue::from_static("w"));
        let seen = headers(&all);
        let mut names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["token-count", "user-agent", "webhook-id", "x-platform-region", "x-platform-region"]);
    }
}
