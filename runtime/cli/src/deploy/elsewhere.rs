//! What a project is given on this machine, and a server does not have yet: the node would work here and break there.
//!
//! It says so, with the command that sets it, and sets nothing: what is good for a trial here is seldom what users should meet.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use model::{ConfigKey, ConfigOverrides, ConnectionName, ConnectionSettings, Credential, NodeId};
use serde::Deserialize;
use toml::Table;

use crate::given::{self, Given};
use crate::message;
use crate::output::one_line;
use crate::remote::Client;

/// The keys that a file sets, whatever they refer to on this machine.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    config: Table,
    #[serde(default)]
    config_secrets: Table,
}

#[derive(Deserialize)]
struct Values {
    config: Vec<Keyed>,
}

#[derive(Deserialize)]
struct Keyed {
    key: ConfigKey,
}

#[derive(Deserialize)]
struct Connections {
    connections: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: ConnectionName,
}

/// Warns of everything that the handler of a node, be it there or about to be made, will miss. `own` is set for the revision itself.
///
/// # Errors
/// If the server does not tell what it has, or a file of the project cannot be read.
pub(super) fn warn(
    client: &Client,
    node: &NodeId,
    is_there: bool,
    given: &Given,
    own: &ConfigOverrides,
) -> anyhow::Result<()> {
    if let Some(file) = &given.config {
        let mut set: BTreeSet<ConfigKey> = own.keys().cloned().collect();
        set.extend(values(client, "/config")?);
        if is_there {
            set.extend(values(client, &format!("/config?node={node}"))?);
        }
        of_config(client, node, file, &set)?;
    }
    if let Some(file) = &given.connections {
        of_connections(client, file)?;
    }
    if let Some(file) = &given.messages {
        let missing = message::count_missing(file, client)?;
        if missing > 0 {
            let import = client.command(&format!("message import {}", file.display()));
            eprintln!("warning: the server does not have {missing} of the messages in {}: {import}", file.display());
        }
    }
    if !given.private_networks.is_empty() {
        let networks: Vec<String> = given.private_networks.iter().map(|network| format!("\"{network}\"")).collect();
        eprintln!(
            "warning: who operates the server says which private networks a tenant may reach; if it is not said yet, the node may not: \
             private_networks = [{}] in its codenode.toml",
            networks.join(", ")
        );
    }
    Ok(())
}

fn values(client: &Client, path: &str) -> anyhow::Result<Vec<ConfigKey>> {
    let Values { config } = client.get(&client.of_tenant(path)?)?.read()?;
    Ok(config.into_iter().map(|Keyed { key }| key).collect())
}

fn of_config(client: &Client, node: &NodeId, file: &Path, set: &BTreeSet<ConfigKey>) -> anyhow::Result<()> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    // Only the message: the error's own display quotes the line, and that may hold a secret.
    let said: Said = toml::from_str(&text).map_err(|error| anyhow!("{shown}: {}", error.message()))?;
    let (open, secret) =
        (said.config.keys().map(|key| (key, "VALUE")), said.config_secrets.keys().map(|key| (key, "--secret")));
    for (key, value) in open.chain(secret) {
        let key: ConfigKey = key.parse().with_context(|| shown.to_string())?;
        if !set.contains(&key) {
            let command = client.command(&format!("config set {key} {value} --node {node}"));
            eprintln!("warning: {shown} sets {key} on this machine alone: {command}");
        }
    }
    Ok(())
}

fn of_connections(client: &Client, file: &Path) -> anyhow::Result<()> {
    let there: Connections = client.get(&client.of_tenant("/connections")?)?.read()?;
    for (name, wanted) in given::connections(file)? {
        if !there.connections.iter().any(|there| there.name == name) {
            let command = client.command(&format!("connection set {name} {}", flags(&wanted.settings)));
            eprintln!("warning: {} has the connection {name} on this machine alone: {command}", file.display());
        }
    }
    Ok(())
}

/// As `codenode connection set` takes it.
fn flags(settings: &ConnectionSettings) -> String {
    let credential = match &settings.credential {
        Credential::Header { header, .. } => format!("--header {header}"),
        Credential::Query { parameter } => format!("--query {parameter}"),
        Credential::Bearer {} => "--bearer".to_owned(),
        Credential::Basic {} => "--basic".to_owned(),
        Credential::OAuth2 { token_url, client_id, .. } => format!("--oauth2 {token_url} --client-id {client_id}"),
        Credential::Signed { scheme } => format!("--signed {scheme}"),
    };
    one_line(&format!("--origin {} {credential}", settings.origin))
}
