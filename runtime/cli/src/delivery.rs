//! What a bot platform does with an event: sign it.

use std::time::SystemTime;

use anyhow::Context as _;
use server::signature::{self, Scheme, Secret};

/// How to sign.
#[derive(clap::Args)]
pub(crate) struct Signing {
    /// The node's secret: the value, `env:NAME` or `file:PATH`
    #[arg(long, env = "CODENODE_SECRET", hide_env_values = true, value_name = "SECRET")]
    secret: String,
    /// The scheme: sha1 (X-Hub-Signature), sha256 (X-Hub-Signature-256) or standard (Standard Webhooks)
    #[arg(long, default_value = "sha256")]
    scheme: Scheme,
}

impl Signing {
    /// The headers that sign `body` now, as name and value.
    ///
    /// # Errors
    /// If the secret cannot be had, or does not fit the scheme.
    pub(crate) fn headers(&self, body: &[u8]) -> anyhow::Result<Vec<(String, String)>> {
        let secret = Secret::new(&self.secret()?)?;
        let id = format!("msg_{}", uuid::Uuid::now_v7().simple());
        let headers = signature::sign(self.scheme, &secret, body, &id, SystemTime::now())?;
        headers.iter().map(|(name, value)| Ok((name.to_string(), value.to_str()?.to_owned()))).collect()
    }

    fn secret(&self) -> anyhow::Result<String> {
        if let Some(name) = self.secret.strip_prefix("env:") {
            return std::env::var(name)
                .with_context(|| format!("cannot read the secret from the environment variable {name}"));
        }
        if let Some(path) = self.secret.strip_prefix("file:") {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the secret from {path}"))?;
            return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
        }
        Ok(self.secret.clone())
    }
}
