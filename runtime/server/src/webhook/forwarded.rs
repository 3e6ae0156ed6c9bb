//! The headers of an event that a handler of requests may see: all but those that prove who sent it, and those between two hops.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, FORWARDED, HOST,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName};

/// Of no use to a handler, or none of its business.
const KEPT_BACK: [HeaderName; 15] = [
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    FORWARDED,
    HOST,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    VIA,
];

/// The same, by how they begin: signatures, whoever said them, and what proxies add, which any caller could have written.
const KEPT_BACK_BEGINNINGS: [&str; 6] =
    ["x-hub-signature", "webhook-signature", "x-forwarded-", "x-real-ip", "keep-alive", "proxy-"];

/// The headers that may be seen, in their order. A value that is no text is not handed over.
pub(super) fn headers(all: &HeaderMap) -> Vec<(String, String)> {
    let text =
        |(name, value): (&HeaderName, &http::HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
    all.iter().filter(|(name, _)| may_be_seen(name)).filter_map(text).collect()
}

fn may_be_seen(name: &HeaderName) -> bool {
    !KEPT_BACK.contains(name) && !KEPT_BACK_BEGINNINGS.iter().any(|begins| name.as_str().starts_with(begins))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

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
        assert_eq!(names, ["user-agent", "webhook-id", "x-platform-region", "x-platform-region"]);
    }
}
