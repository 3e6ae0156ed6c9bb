use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::{Host, Url};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The longest text that is read as an origin.
const MAX_BYTES: usize = 300;

/// Where a service is: a scheme, a host and a port, such as `https://api.example.com`. It has one way to be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    is_https: bool,
    /// As a URL has it: in lower case, names in ASCII, addresses in one spelling.
    host: String,
    port: u16,
}

/// The text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no origin: {why}", text.escape_debug())]
pub struct OriginError {
    text: String,
    why: String,
}

impl Origin {
    /// Whether nobody on the way can read along.
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// The name or the address, as a URL has it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether a request to `url` goes there.
    pub fn is_of(&self, url: &Url) -> bool {
        self.has_way_of(url) && url.host_str() == Some(self.host.as_str())
    }

    /// Whether a request to `url` goes to a name below this one, by the same scheme and port.
    pub(crate) fn is_above(&self, url: &Url) -> bool {
        let Some(Host::Domain(name)) = url.host() else { return false };
        let below = name.strip_suffix(self.host.as_str());
        self.has_way_of(url) && below.is_some_and(|below| below.len() > 1 && below.ends_with('.'))
    }

    fn has_way_of(&self, url: &Url) -> bool {
        let scheme = if self.is_https { "https" } else { "http" };
        url.scheme() == scheme && url.port_or_known_default() == Some(self.port)
    }

    /// Reads it with or without `https://` before it.
    ///
    /// # Errors
    /// Says what is wrong, for a message that names the text.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&with_scheme).map_err(|error| error.to_string())?;
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("{other} is not served: use https or http")),
        };
        let is_bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !is_bare {
            return Err("an origin has a scheme, a host and a port, and nothing else".to_owned());
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("it has no host".to_owned());
        };
        Ok(Self { is_https, host: host.to_owned(), port })
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let error = |why: String| OriginError { text: text.chars().take(MAX_BYTES).collect(), why };
        if text.len() > MAX_BYTES {
            return Err(error(format!("it is longer than {MAX_BYTES} bytes")));
        }
        let origin = Self::read(text.trim()).map_err(error)?;
        if origin.host.contains('*') {
            return Err(error("it must be one host, without a `*`".to_owned()));
        }
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default_port) = if self.is_https { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == default_port { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl PartialSchema for Origin {
    fn schema() -> RefOr<Schema> {
        Object::builder()
            .schema_type(Type::String)
            .description(Some("A scheme, a host and a port: `https://api.example.com`, `http://10.0.0.7:8080`."))
            .max_length(Some(MAX_BYTES))
            .examples(["https://api.example.com"])
            .into()
    }
}

impl ToSchema for Origin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_way_to_be_written() {
        for (text, written) in [
            ("api.example.com", "https://api.example.com"),
            ("https://API.Example.com:443/", "https://api.example.com"),
            ("http://api.example.com:80", "http://api.example.com"),
            ("http://0x7f.1:8080", "http://127.0.0.1:8080"),
            ("[::1]", "https://[::1]"),
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(origin.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(origin));
        }
    }

    #[test]
    fn what_is_no_origin_says_why() {
        for (text, why) in [
            ("", "empty host"),
            ("ftp://example.com", "use https or http"),
            ("https://example.com/v1", "nothing else"),
            ("https://key@example.com", "nothing else"),
            ("https://*.example.com", "without a `*`"),
            (&"a".repeat(301), "longer than 300 bytes"),
        ] {
            let error = text.parse::<Origin>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
