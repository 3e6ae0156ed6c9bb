use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use ureq::http::Uri;

/// Where a server's management side is: `http://host:port`, perhaps with a path before `/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Without a slash at its end.
    base: String,
    is_plain: bool,
    is_loopback: bool,
}

impl Address {
    pub(crate) fn as_str(&self) -> &str {
        &self.base
    }

    /// Whether it is this very machine: no proxy leads there.
    pub(crate) const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Whether others on the way can read what goes there.
    pub(crate) const fn is_exposed(&self) -> bool {
        self.is_plain && !self.is_loopback
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let shown = text.escape_debug();
        let uri: Uri = text.parse().with_context(|| format!("`{shown}` is no server's URL"))?;
        let is_plain = match uri.scheme_str() {
            Some("http") => true,
            Some("https") => false,
            _ => bail!("`{shown}` is no server's URL: it begins with http:// or https://"),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.with_context(|| format!("`{shown}` is no server's URL: it names no host"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) || uri.query().is_some() {
            bail!("a server's URL holds no user, no password and no query: the key is asked for separately");
        }
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_loopback = ip.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |ip| ip.is_loopback());
        Ok(Self { base: text.trim_end_matches('/').to_owned(), is_plain, is_loopback })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn only_plain_http_to_another_machine_is_exposed() {
        for safe in ["http://127.0.0.1:8081", "http://localhost:8081/", "http://[::1]:8081", "https://codenode.example"]
        {
            assert!(!address(safe).is_exposed(), "{safe}");
        }
        for exposed in ["http://codenode.example", "http://10.0.0.1:8081", "http://localhost.example", "http://[::2]"] {
            assert!(address(exposed).is_exposed(), "{exposed}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for bad in ["", "codenode.example", "ftp://x", "http://", "http://me:secret@x", "http://x?key=1", "http://a b"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert_eq!(address("https://x/codenode//").as_str(), "https://x/codenode");
    }
}
