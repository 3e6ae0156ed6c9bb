//! What a handler is given when it runs on this machine: what it may reach, and what it finds there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use ipnet::IpNet;
use model::{Bucket, ConnectionName, ConnectionSettings, Family, Grant, Quota, TenantId};
use sandbox::Grants;
use serde::Deserialize;
use server::config::{Egress, Tenant};
use server::egress::Gateway;
use server::{Environment, Own, Reach};

use crate::message;

const OR_IN_A_PROJECT: &str = ", or grant it in node.toml";

/// As flags say it, and projects.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Given {
    /// What it may reach, such as `http:api.example.com`, `kv:node` or `state:user`; may be said several times
    #[arg(long = "grant", value_name = "GRANT")]
    pub(crate) grants: Vec<Grant>,
    /// A private network that it may reach besides the public Internet, such as `127.0.0.0/8`; may be said several times
    #[arg(long = "private-network", value_name = "NETWORK")]
    pub(crate) private_networks: Vec<IpNet>,
    /// Connections that it may be granted: a TOML file with a table for each, of what the server's API takes, such as
    /// `crm = { settings = { origin = "https://api.example.com", credential = { kind = "bearer" } }, secret = "…" }`
    #[arg(long, value_name = "FILE")]
    pub(crate) connections: Option<PathBuf>,
    /// What is set for the handler: a TOML file with the tables `config` and `config_secrets`, as a node of codenode.toml has them; a secret may be
    /// `env:NAME` or `file:path`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What messages say, for the grant `kv:messages`: a file as `codenode message export` writes it [default: as in --entries]
    #[arg(long, value_name = "FILE")]
    pub(crate) messages: Option<PathBuf>,
}

/// A connection, as the API takes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedConnection {
    pub(crate) settings: ConnectionSettings,
    pub(crate) secret: String,
}

impl Given {
    /// What is said here, and where nothing is, what `other` says. Grants and networks are those of both.
    pub(crate) fn or(mut self, other: Self) -> Self {
        let missing: Vec<Grant> = other.grants.into_iter().filter(|grant| !self.grants.contains(grant)).collect();
        self.grants.extend(missing);
        self.private_networks.extend(other.private_networks);
        self.connections = self.connections.or(other.connections);
        self.config = self.config.or(other.config);
        self.messages = self.messages.or(other.messages);
        self
    }

    /// Without what is behind them, some grants would do nothing, and so would what nobody may read.
    ///
    /// # Errors
    /// Says what is missing.
    pub(crate) fn must_fit_together(&self) -> anyhow::Result<()> {
        let is_configured = |grant: &Grant| matches!(grant.family(), Family::Config);
        if self.config.is_some() && !self.grants.iter().any(is_configured) {
            bail!("nothing reads the configuration: say --grant config or --grant secret:KEY too{OR_IN_A_PROJECT}");
        }
        if self.messages.is_some() && !self.grants.iter().any(is_of_messages) {
            bail!("nothing reads the messages: say --grant kv:messages too{OR_IN_A_PROJECT}");
        }
        for grant in &self.grants {
            match grant {
                Grant::Connection(_) if self.connections.is_none() => {
                    bail!(
                        "{grant} takes --connections FILE (or `connections`), which says where it leads and what its secret is"
                    );
                }
                Grant::Secret(_) if self.config.is_none() => {
                    bail!("{grant} takes --config FILE (or `config`), which says what it is")
                }
                Grant::Http(_)
                | Grant::Connection(_)
                | Grant::KeyValue(_)
                | Grant::State(_)
                | Grant::Config
                | Grant::Secret(_) => {}
            }
        }
        Ok(())
    }

    /// Requests leave this machine as they would leave a server, and entries are kept in a folder as a server keeps them.
    ///
    /// # Errors
    /// If one of the files cannot be used, or nothing be kept in the folder.
    pub(crate) async fn granted(&self, entries: &Path) -> anyhow::Result<Grants> {
        if self.grants.is_empty() {
            return Ok(Grants::default());
        }
        let gateway = Gateway::open(&Egress::default())?;
        let tenant: TenantId = "local".parse()?;
        let networks = Tenant { private_networks: self.private_networks.clone(), ..Tenant::default() };
        gateway.open_networks(&[(tenant.clone(), networks)].into());
        let reach = Reach::with_entries_in(entries, gateway).await?;
        if let Some(file) = &self.connections {
            let wanted = connections(file)?.into_iter();
            let connections = wanted.map(|(name, WantedConnection { settings, secret })| (name, settings, secret));
            reach.connect(&tenant, connections).with_context(|| format!("{} cannot be used", file.display()))?;
        }
        if let Some(file) = &self.messages {
            let texts = message::format_of(file)?.read(&message::read_file(file)?);
            let texts = texts.with_context(|| format!("{} cannot be read", file.display()))?;
            reach.set_messages(&tenant, texts).await?;
        }
        let own = self.config.as_deref().map_or_else(|| Ok(Own::default()), |file| own(file, &self.grants))?;
        Ok(reach.grants(&tenant, &"LOCAL".parse()?, &Quota::DEFAULT, &self.grants, own))
    }
}

/// The connections that a file describes.
///
/// # Errors
/// If it describes none.
pub(crate) fn connections(file: &Path) -> anyhow::Result<BTreeMap<ConnectionName, WantedConnection>> {
    let (shown, text) = (file.display(), read(file)?);
    toml::from_str(&text).map_err(|error| anyhow!("{shown} does not describe connections: {}", error.message()))
}

/// What a file sets for a handler with these grants.
///
/// # Errors
/// What a server would say of it: each problem, with its line.
pub(crate) fn own(file: &Path, grants: &[Grant]) -> anyhow::Result<Own> {
    Ok(Own::load(file, grants, &Environment::of_process())?)
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

const fn is_of_messages(grant: &Grant) -> bool {
    match grant {
        Grant::Http(_) | Grant::Connection(_) | Grant::State(_) | Grant::Config | Grant::Secret(_) => false,
        Grant::KeyValue(grant) => matches!(grant.bucket, Bucket::Messages),
    }
}
