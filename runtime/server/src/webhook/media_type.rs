//! What a body may claim to be: JSON, in UTF-8, as it is.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

/// Why a body is not looked at; the text is for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsupported {
    #[error("send the event with content-type: application/json")]
    NotJson,
    #[error("send the event in UTF-8: leave the charset out, or say charset=utf-8")]
    Charset,
    /// A compressed body could be a bomb, and the signature is over the bytes as they came.
    #[error("send the event without a content-encoding")]
    Encoded,
}

/// Checks `Content-Type` and `Content-Encoding`.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Unsupported> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if !encodings.all(|encoding| encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")) {
        return Err(Unsupported::Encoded);
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return Err(Unsupported::NotJson);
    };
    let mut parts = only.to_str().map_err(|_| Unsupported::NotJson)?.split(';');
    if !parts.next().is_some_and(is_json) {
        return Err(Unsupported::NotJson);
    }
    if parts.all(is_utf8_or_no_charset) { Ok(()) } else { Err(Unsupported::Charset) }
}

/// `application/json`, or any type with the suffix `+json`.
fn is_json(essence: &str) -> bool {
    let essence = essence.trim().to_ascii_lowercase();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let json = (kind == "application" && subtype == "json")
        || subtype.strip_suffix("+json").is_some_and(|name| !name.is_empty());
    json && is_token(kind) && is_token(subtype)
}

fn is_utf8_or_no_charset(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return parameter.trim().is_empty() };
    let value = value.trim().trim_matches('"');
    !name.trim().eq_ignore_ascii_case("charset")
        || value.eq_ignore_ascii_case("utf-8")
        || value.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn checked(headers: &[(HeaderName, &str)]) -> Result<(), Unsupported> {
        let pairs = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        check(&pairs.fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        }))
    }

    #[test]
    fn json_in_utf_8_is_taken() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/cloudevents+json",
            "application/json ; v=1; charset=utf8",
            "application/json;",
        ] {
            assert_eq!(checked(&[(CONTENT_TYPE, good)]), Ok(()), "{good}");
        }
        assert_eq!(checked(&[(CONTENT_TYPE, "application/json"), (CONTENT_ENCODING, "identity")]), Ok(()));
    }

    #[test]
    fn anything_else_is_not() {
        for bad in [
            "",
            "json",
            "text/plain",
            "text/json",
            "application/jsonp",
            "application/json+x",
            "application/+json",
            "application/json, a/b",
        ] {
            assert_eq!(checked(&[(CONTENT_TYPE, bad)]), Err(Unsupported::NotJson), "{bad}");
        }
        assert_eq!(checked(&[]), Err(Unsupported::NotJson));
        let twice = [(CONTENT_TYPE, "application/json"), (CONTENT_TYPE, "application/json")];
        assert_eq!(checked(&twice), Err(Unsupported::NotJson));
        for bad in [
            "application/json; charset=utf-16",
            "application/json; charset=utf-8; charset=latin1",
            "application/json; charset",
        ] {
            assert_eq!(checked(&[(CONTENT_TYPE, bad)]), Err(Unsupported::Charset), "{bad}");
        }
        for bad in ["gzip", "identity, gzip", "br", ""] {
            let headers = [(CONTENT_TYPE, "application/json"), (CONTENT_ENCODING, bad)];
            assert_eq!(checked(&headers), Err(Unsupported::Encoded), "{bad}");
        }
    }
}
