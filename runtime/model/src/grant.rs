use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::{Host, Url};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::{ConfigKey, ConnectionName, Details, KeyValueGrant, Origin};

/// A grant is never longer than this when it is written.
const MAX_BYTES: usize = 512;
/// The grant of a configuration, as it is written.
const CONFIG: &str = "config";

/// What a revision may reach besides its event: a family of host functions, and how much of it. Written `http:api.example.com GET,POST`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grant {
    /// Requests to one origin.
    Http(HttpGrant),
    /// Requests to the origin of a connection, with its credential.
    Connection(ConnectionName),
    /// Entries of one bucket.
    KeyValue(KeyValueGrant),
    /// What the configuration says, but for what is secret of it.
    Config,
    /// One secret of the configuration.
    Secret(ConfigKey),
    /// Details that its replies change and its events come with, kept here for a platform that does not keep them.
    State(Details),
}

/// An origin that may be called: `https://api.example.com`, `http://10.0.0.7:8080`, or every name below one, `https://*.example.com`. With methods
/// behind it, by these only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HttpGrant {
    /// Where `below`, of the name above all that are meant.
    origin: Origin,
    below: bool,
    /// None: every one of them.
    methods: Vec<Method>,
}

/// A family of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// `wasi:http/outgoing-handler`.
    Http,
    /// `wasi:keyvalue`.
    #[serde(rename = "kv")]
    KeyValue,
    /// `wasi:config`.
    Config,
    /// What is remembered of conversations and users: no import needs it.
    State,
}

macro_rules! methods {
    ($($method:ident = $name:literal),*) => {
        /// The methods that a guest may use; there are no others, whatever is granted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Method {
            $(#[doc = $name] $method,)*
        }

        impl Method {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$method,)*];

            /// As it is sent.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$method => $name,)*
                }
            }
        }
    };
}

methods! {
    Get = "GET", Head = "HEAD", Post = "POST", Put = "PUT", Patch = "PATCH", Delete = "DELETE", Options = "OPTIONS"
}

/// The text is no grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no grant: {why}", text.escape_debug())]
pub struct GrantError {
    text: String,
    why: String,
}

impl Grant {
    /// What it is a part of.
    pub const fn family(&self) -> Family {
        match self {
            Self::Http(_) | Self::Connection(_) => Family::Http,
            Self::KeyValue(_) => Family::KeyValue,
            Self::Config | Self::Secret(_) => Family::Config,
            Self::State(_) => Family::State,
        }
    }
}

impl HttpGrant {
    /// Whether a request by `method` to `url` is one of those that are meant.
    pub fn allows(&self, method: Method, url: &Url) -> bool {
        self.is_origin_of(url) && (self.methods.is_empty() || self.methods.contains(&method))
    }

    /// Whether `url` is of an origin that is meant.
    pub fn is_origin_of(&self, url: &Url) -> bool {
        if self.below { self.origin.is_above(url) } else { self.origin.is_of(url) }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (origin, methods) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let below = origin.starts_with("*.") || origin.contains("://*.");
        let read = Origin::read(&origin.replacen("*.", "", usize::from(below)));
        let read = read.map_err(|why| format!("{origin} is no origin ({why})"))?;
        if read.host().contains('*') {
            return Err("a `*` stands for all names below one, as in *.example.com".to_owned());
        }
        if below && !is_name_of_two_parts(read.host()) {
            return Err("a `*` must stand before a name of two parts at the least".to_owned());
        }
        Ok(Self { origin: read, below, methods: parse_methods(methods)? })
    }
}

fn is_name_of_two_parts(host: &str) -> bool {
    let is_name = matches!(Host::parse(host), Ok(Host::Domain(_)));
    is_name && host.trim_end_matches('.').contains('.')
}

fn parse_methods(text: &str) -> Result<Vec<Method>, String> {
    let names = text.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty());
    let mut methods = names.map(str::parse).collect::<Result<Vec<Method>, String>>()?;
    methods.sort_unstable();
    methods.dedup();
    Ok(methods)
}

impl FromStr for Method {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let method = Self::ALL.iter().copied().find(|method| method.name() == name);
        let names = || Self::ALL.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ");
        method.ok_or_else(|| format!("{name} is no method; the methods are {}", names()))
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let error = |why: String| GrantError { text: text.chars().take(MAX_BYTES).collect(), why };
        if text.len() > MAX_BYTES {
            return Err(error(format!("it is longer than {MAX_BYTES} bytes")));
        }
        match text.trim().split_once(':') {
            Some(("http", origin)) => HttpGrant::parse(origin.trim()).map(Self::Http).map_err(error),
            Some(("connection", name)) => match name.trim().parse() {
                Ok(name) => Ok(Self::Connection(name)),
                Err(wrong) => Err(error(wrong.to_string())),
            },
            Some(("kv", bucket)) => bucket.trim().parse().map(Self::KeyValue).map_err(error),
            Some(("state", details)) => details.trim().parse().map(Self::State).map_err(error),
            Some(("secret", key)) => match key.trim().parse() {
                Ok(key) => Ok(Self::Secret(key)),
                Err(wrong) => Err(error(wrong.to_string())),
            },
            None if text.trim() == CONFIG => Ok(Self::Config),
            Some(_) | None => Err(error(
                "write it as http:ORIGIN, such as http:api.example.com or http:https://api.example.com:8443 GET, as \
                 connection:NAME, as kv:node, kv:tenant, kv:tenant read or kv:messages, as state:conversation or \
                 state:user, as config, or as secret:KEY"
                    .to_owned(),
            )),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(grant) => write!(f, "http:{grant}"),
            Self::Connection(name) => write!(f, "connection:{name}"),
            Self::KeyValue(grant) => write!(f, "kv:{grant}"),
            Self::Config => f.write_str(CONFIG),
            Self::Secret(key) => write!(f, "secret:{key}"),
            Self::State(details) => write!(f, "state:{details}"),
        }
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.origin.to_string();
        f.write_str(&if self.below { origin.replacen("://", "://*.", 1) } else { origin })?;
        for (at, method) in self.methods.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { ' ' } else { ',' }, method.name())?;
        }
        Ok(())
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::KeyValue => "kv",
            Self::Config => CONFIG,
            Self::State => "state",
        })
    }
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl PartialSchema for Grant {
    fn schema() -> RefOr<Schema> {
        Object::builder()
            .schema_type(Type::String)
            .description(Some("What a revision may reach: `http:ORIGIN`, with methods behind it if not all are meant; `connection:NAME`; `kv:node` or \
                 `kv:tenant`, with `read` behind it if nothing may be changed; `kv:messages`, which are only read; `state:conversation` or `state:user`, \
                 whose details are kept here for a platform that does not keep them; `config`, without what is secret of it; `secret:KEY`."))
            .max_length(Some(MAX_BYTES))
            .examples(["http:https://api.example.com GET,POST"])
            .into()
    }
}

impl ToSchema for Grant {}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Grant {
        text.parse().unwrap()
    }

    fn allows(text: &str, method: Method, url: &str) -> bool {
        let Grant::Http(grant) = grant(text) else { panic!("{text}") };
        grant.allows(method, &Url::parse(url).unwrap())
    }

    #[test]
    fn a_grant_has_one_way_to_be_written() {
        for (text, written) in [
            ("http:api.example.com", "http:https://api.example.com"),
            ("http:https://API.Example.com:443/", "http:https://api.example.com"),
            ("http:http://api.example.com:80", "http:http://api.example.com"),
            ("http:bücher.example:8443", "http:https://xn--bcher-kva.example:8443"),
            ("http:http://0x7f.1:8080", "http:http://127.0.0.1:8080"),
            ("http:[::1]", "http:https://[::1]"),
            (" http: *.example.com POST, GET,GET ", "http:https://*.example.com GET,POST"),
            ("connection: crm", "connection:crm"),
            ("kv: tenant  read", "kv:tenant read"),
            ("kv:messages", "kv:messages"),
            ("kv:messages read", "kv:messages"),
            (" config ", "config"),
            ("secret: signing_key", "secret:signing_key"),
            (" state: user", "state:user"),
            ("state:conversation", "state:conversation"),
        ] {
            assert_eq!(grant(text).to_string(), written, "{text}");
            assert_eq!(grant(written).to_string(), written);
        }
    }

    #[test]
    fn what_is_no_grant_says_how_one_is_written() {
        for (text, why) in [
            ("", "write it as http:ORIGIN"),
            ("api.example.com", "write it as http:ORIGIN"),
            ("connection:", "is not a valid id"),
            ("connection:a b", "is not a valid id"),
            ("kv:x", "there is no bucket `x`"),
            ("kv:node write", "write is no way to open a bucket"),
            ("kv:messages write", "which handlers only read"),
            ("kv:user", "with state:user it comes with the event"),
            ("kv:conversation read", "with state:conversation it comes with the event"),
            ("state:users", "use conversation or user"),
            ("state:user read", "use conversation or user"),
            ("smtp:x", "write it as http:ORIGIN"),
            ("config:x", "write it as http:ORIGIN"),
            ("secret:", "is no key of a handler's configuration"),
            ("secret:a b", "is no key of a handler's configuration"),
            ("http:", "no origin"),
            ("http:ftp://example.com", "use https or http"),
            ("http:https://example.com/path", "nothing else"),
            ("http:https://user@example.com", "nothing else"),
            ("http:https://example.com?x", "nothing else"),
            ("http:*", "`*`"),
            ("http:*.com", "two parts"),
            ("http:api.*.com", "`*`"),
            ("http:*.127.0.0.1", "two parts"),
            ("http:api.example.com TRACE", "TRACE is no method"),
            ("http:api.example.com get", "get is no method"),
        ] {
            let error = text.parse::<Grant>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        let long = format!("http:{}.example", "a".repeat(500));
        assert!(long.parse::<Grant>().unwrap_err().to_string().contains("longer than 512 bytes"));
    }

    #[test]
    fn an_origin_is_its_scheme_its_host_and_its_port() {
        let of = |url| allows("http:api.example.com", Method::Get, url);
        assert!(of("https://api.example.com/v1?x=1"));
        assert!(of("https://API.example.com:443/"));
        for url in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://api.example.com./",
            "https://x.api.example.com/",
            "https://example.com/",
            "https://api.example.com.evil.org/",
            "https://evil.org/api.example.com",
        ] {
            assert!(!of(url), "{url}");
        }
    }

    #[test]
    fn a_star_stands_for_every_name_below_but_not_for_the_name_itself() {
        let of = |url| allows("http:*.example.com", Method::Get, url);
        assert!(of("https://a.example.com/") && of("https://a.b.example.com/"));
        for url in ["https://example.com/", "https://notexample.com/", "https://.example.com/", "http://a.example.com/"]
        {
            assert!(!of(url), "{url}");
        }
    }

    #[test]
    fn methods_narrow_a_grant() {
        assert!(allows("http:a.example GET,HEAD", Method::Head, "https://a.example/"));
        assert!(!allows("http:a.example GET,HEAD", Method::Post, "https://a.example/"));
        assert!(allows("http:a.example", Method::Delete, "https://a.example/"));
    }
}
