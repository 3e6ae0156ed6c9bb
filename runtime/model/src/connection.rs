use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Actor, ConnectionName, Origin, Scheme};

/// A tenant's credential for a service, without what is secret of it: nobody reads that back, and no guest ever sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Connection {
    /// Names it in grants.
    pub name: ConnectionName,
    /// Where it leads and how it proves who asks.
    pub settings: ConnectionSettings,
    /// Counts its changes, from 1: what an `ETag` says.
    pub version: u64,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// Who changed it last.
    pub changed_by: Actor,
}

/// Where a connection leads, and how it proves who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionSettings {
    /// The credential is added to requests to this origin, and to no other.
    pub origin: Origin,
    /// What is added.
    pub credential: Credential,
    /// What a test of the connection asks for, such as `/v1/me`.
    #[serde(default = "root")]
    #[schema(default = "/", pattern = "^/", max_length = 1024)]
    pub test_path: String,
    /// Whether requests may go out by it.
    #[serde(default = "enabled")]
    #[schema(default = true)]
    pub enabled: bool,
}

/// How a request proves who asks. What is secret of it is kept apart, as one text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Credential {
    /// An API key in a header: the secret, behind `prefix`.
    Header {
        /// Such as `X-Api-Key`.
        #[schema(min_length = 1, max_length = 64)]
        header: String,
        /// Such as `Token `, with its space.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        #[schema(max_length = 64)]
        prefix: String,
    },
    /// An API key in the query: the secret, as this parameter's value.
    Query {
        /// Such as `api_key`.
        #[schema(min_length = 1, max_length = 64)]
        parameter: String,
    },
    /// `Authorization: Bearer`, with the secret.
    Bearer {},
    /// `Authorization: Basic`; the secret is `USER:PASSWORD`.
    Basic {},
    /// OAuth 2.0's client credentials (RFC 6749, 4.4): a token is fetched, kept, and fetched anew before it expires and after a 401. The secret is
    /// the client's.
    #[serde(rename = "oauth2")]
    OAuth2 {
        /// Where tokens are given out: a URL.
        #[schema(min_length = 1, max_length = 1024)]
        token_url: String,
        /// Who the client is.
        #[schema(min_length = 1, max_length = 256)]
        client_id: String,
        /// What the token shall be good for; empty: whatever the service gives.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schema(max_items = 32)]
        scopes: Vec<String>,
        /// How the client proves who it is there.
        #[serde(default)]
        client_auth: ClientAuth,
    },
    /// The body's HMAC in a header, by one of the schemes that events are signed with. The secret is the key.
    Signed {
        /// Which of them.
        scheme: Scheme,
    },
}

/// How an OAuth 2.0 client proves who it is (RFC 6749, 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// By `Authorization: Basic`.
    #[default]
    Header,
    /// By `client_id` and `client_secret` in the body.
    Body,
}

impl Credential {
    /// Its kind, as it is written.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Header { .. } => "header",
            Self::Query { .. } => "query",
            Self::Bearer {} => "bearer",
            Self::Basic {} => "basic",
            Self::OAuth2 { .. } => "oauth2",
            Self::Signed { .. } => "signed",
        }
    }
}

impl ConnectionSettings {
    /// Whether a secret that was given for these settings may be used under `others`: whoever may change settings must not be able to have it sent
    /// elsewhere, or to read it off a place where it shows.
    pub fn may_lend_secret_to(&self, others: &Self) -> bool {
        self.origin == others.origin && self.credential == others.credential
    }
}

fn root() -> String {
    "/".to_owned()
}

const fn enabled() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ConnectionSettings, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn settings_read_as_they_are_written() {
        let written = r#"{"origin":"https://crm.example","credential":{"kind":"oauth2","token_url":"https://id.example/token","client_id":"bot","client_auth":"header"},"test_path":"/","enabled":true}"#;
        let short = r#"{"origin":"crm.example","credential":{"kind":"oauth2","token_url":"https://id.example/token","client_id":"bot"}}"#;
        assert_eq!(serde_json::to_string(&read(short).unwrap()).unwrap(), written);
        assert_eq!(read(written).unwrap(), read(short).unwrap());
    }

    #[test]
    fn no_secret_can_be_slipped_into_the_settings() {
        for wrong in [
            r#"{"origin":"crm.example","credential":{"kind":"bearer","token":"x"}}"#,
            r#"{"origin":"crm.example","credential":{"kind":"basic"},"secret":"x"}"#,
            r#"{"origin":"crm.example","credential":{"kind":"magic"}}"#,
            r#"{"origin":"crm.example/v1","credential":{"kind":"bearer"}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_lent_to_another_origin_or_another_use() {
        let of = |origin: &str, kind: &str| {
            read(&format!(r#"{{"origin":"{origin}","credential":{{"kind":"{kind}"}}}}"#)).unwrap()
        };
        let before = of("crm.example", "bearer");
        assert!(before.may_lend_secret_to(&ConnectionSettings { enabled: false, ..before.clone() }));
        assert!(!before.may_lend_secret_to(&of("evil.example", "bearer")));
        assert!(!before.may_lend_secret_to(&of("crm.example", "basic")));
    }
}
