//! The way to a server: which one, with which key, what it answers and how that looks. It knows no command.

mod address;
mod ask;
mod client;
mod login;
mod node;
mod problem;
mod table;
mod trial;

use std::env;

use anyhow::Context as _;
use model::{Cause, NodeId, TenantId};

pub(crate) use address::Address;
pub(crate) use ask::{confirm, secret};
pub(crate) use client::{Answer, Client, may_pass};
pub(crate) use login::Login;
pub(crate) use node::Node;
pub(crate) use problem::Problem;
pub(crate) use table::{Table, moment, short};
pub(crate) use trial::Trial;

/// Where `codenode serve` answers unless it is told otherwise.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:8081";
/// The environment variable that holds a key.
const KEY: &str = "CODENODE_KEY";

/// Which server, and how its answer looks. Goes last in a command, for its heading holds for all that follows.
#[derive(clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Remote {
    /// The server's management side [default: that of `codenode login`, or http://127.0.0.1:8081]
    #[arg(long, env = "CODENODE_SERVER", value_name = "URL")]
    server: Option<String>,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// The same, for what belongs to a tenant.
#[derive(clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct OfTenant {
    /// The tenant [default: that of `codenode login --tenant`]
    #[arg(long, env = "CODENODE_TENANT", value_name = "ID")]
    tenant: Option<TenantId>,
    #[command(flatten)]
    remote: Remote,
}

impl Remote {
    /// Whoever can be asked, with the key that is for it.
    ///
    /// # Errors
    /// If there is no such server, or no key for it.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        self.client_for(None)
    }

    fn client_for(&self, tenant: Option<&TenantId>) -> anyhow::Result<Client> {
        let login = Login::read()?;
        let asked = self.server.as_deref().filter(|server| !server.is_empty());
        let usual = login.as_ref().map_or(DEFAULT_SERVER, |login| login.server.as_str());
        let server: Address = asked.unwrap_or(usual).parse()?;
        // What was kept for one server is nobody else's business.
        let login = login.filter(|login| login.server == server.as_str());
        let is_usual = asked.is_none() || login.is_some();
        let usual_tenant = login.as_ref().and_then(|login| login.tenant.clone());
        let key = env_key().or_else(|| login.map(|login| login.key)).with_context(|| {
            format!("there is no key for {server}: keep one with `codenode login {server}`, or set {KEY}")
        })?;
        let tenant = tenant.cloned();
        let mut hint = String::new();
        if let Some(tenant) = tenant.as_ref().filter(|tenant| Some(*tenant) != usual_tenant.as_ref()) {
            hint.push_str(&format!(" --tenant {tenant}"));
        }
        if !is_usual {
            hint.push_str(&format!(" --server {server}"));
        }
        Client::new(server, &key, tenant.or(usual_tenant), self.json, hint)
    }
}

impl OfTenant {
    /// Whoever can be asked about the tenant.
    ///
    /// # Errors
    /// If there is no such server, or no key for it.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        self.remote.client_for(self.tenant.as_ref())
    }
}

fn env_key() -> Option<String> {
    env::var(KEY).ok().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty())
}

/// What stands in a path between two slashes: a key's or secret's id.
///
/// # Errors
/// If no id looks so.
pub(crate) fn id(text: &str) -> Result<String, model::IdError> {
    text.parse::<TenantId>().map(|id| id.to_string())
}

/// The newest run records, or those before the `next` of an earlier answer: of the tenant if there is one, of all otherwise, as far as the key
/// may see them.
///
/// # Errors
/// If the server does not tell.
pub(crate) fn newest_runs(
    client: &Client,
    node: Option<&NodeId>,
    cause: Option<Cause>,
    limit: usize,
    cursor: Option<&str>,
) -> anyhow::Result<Answer> {
    let mut path = format!("/v1/runs?limit={limit}");
    let mut narrow = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={value}"));
        }
    };
    narrow("tenant", client.tenant().map(ToString::to_string));
    narrow("node", node.map(ToString::to_string));
    narrow("cause", cause.map(|cause| cause.to_string()));
    narrow("cursor", cursor.map(id).transpose()?);
    client.get(&path)
}
