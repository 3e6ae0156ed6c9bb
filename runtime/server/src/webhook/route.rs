//! The one path of the front door, taken apart without trust.

use std::borrow::Cow;

use model::{NodeId, TenantId};

/// The two ids of `/hooks/{tenant}/{node}`, decoded once; not yet known to be ids.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) tenant: Cow<'a, str>,
    pub(super) node: Cow<'a, str>,
}

impl<'a> Target<'a> {
    /// `None` for any other path, one with more or fewer segments included.
    pub(super) fn of(path: &'a str) -> Option<Self> {
        let (tenant, node) = path.strip_prefix("/hooks/")?.split_once('/')?;
        if node.contains('/') {
            return None;
        }
        Some(Self { tenant: decode(tenant)?, node: decode(node)? })
    }

    /// Whether both could be ids at all; only asked where no node was found.
    pub(super) fn is_possible(&self) -> bool {
        self.tenant.parse::<TenantId>().is_ok() && self.node.parse::<NodeId>().is_ok()
    }
}

/// Undoes percent encoding once. What comes out is looked up or parsed as an id, never used as a path.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(path: &str) -> Option<(String, String)> {
        let target = Target::of(path).filter(Target::is_possible)?;
        Some((target.tenant.into_owned(), target.node.into_owned()))
    }

    #[test]
    fn a_hook_names_a_tenant_and_a_node() {
        let expected = Some(("acme".to_owned(), "ORDER_STATUS".to_owned()));
        assert_eq!(ids("/hooks/acme/ORDER_STATUS"), expected);
        assert_eq!(ids("/hooks/%61cme/ORDER%5FSTATUS"), expected);
        assert!(matches!(Target::of("/hooks/acme/NODE").unwrap().tenant, Cow::Borrowed("acme")));
    }

    #[test]
    fn any_other_path_leads_nowhere() {
        for path in [
            "/",
            "/hooks",
            "/hooks/",
            "/hooks/acme",
            "/hooks/acme/",
            "/hooks//N",
            "/hooks/acme/N/",
            "/hooks/acme/N/x",
            "//hooks/acme/N",
            "/hooks/acme//N",
            "/HOOKS/acme/N",
            "/x/hooks/acme/N",
            "/hooks/../hooks/N",
            "/hooks/./N",
            "/hooks/%2e%2e/N",
            "/hooks/acme/%2e%2e",
            "/hooks/acme%2fN",
            "/hooks/acme%2fN/N",
            "/hooks/acme/N%00",
            "/hooks/acme/N;x",
            "/hooks/acme/N%0d%0aX:1",
            "/hooks/acme/%c0%af",
            "/hooks/acme/%C0%AEa",
            "/hooks/acme/%ff",
            "/hooks/acme/N%",
            "/hooks/acme/N%4",
            "/hooks/acme/%zz",
            "/hooks/acme/%+1",
            "/hooks/acme/%2541",
            "/hooks/acme/N%20",
            "/hooks/acme/é",
        ] {
            assert_eq!(ids(path), None, "{path}");
        }
        assert_eq!(ids(&format!("/hooks/acme/{}", "x".repeat(64))), None);
        assert!(ids(&format!("/hooks/acme/{}", "x".repeat(63))).is_some());
    }
}
