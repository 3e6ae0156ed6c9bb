//! The webhook of `codenode dev`: a whole server, on this machine alone, whose only node is the project's.

mod config;

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use model::{ConnectionName, NodeId};
use serde::Deserialize;
use serde_json::json;
use server::{Config, MessageFormat, Options, ServeError, Server};

use crate::given::{self, Given, WantedConnection};
use crate::local::Folders;
use crate::message;
use crate::project::{Built, Project, try_lock};
use crate::remote::Client;

/// Below the project; nothing in it is an author's work.
const FOLDER: &str = ".codenode/dev";
const CONFIG: &str = "codenode.toml";
/// Whatever was built, for a source is WebAssembly, too.
const ARTIFACT: &str = "handler.wasm";
const SECRET: &str = "secret";
/// Whoever holds its lock serves.
const LOCK: &str = "lock";
const TENANT: &str = "dev";

/// A file of messages without any.
const NO_MESSAGES: &[u8] = br#"{"messages": []}"#;

/// What serves, and where its files are.
pub(super) struct Host {
    folder: PathBuf,
    cache: PathBuf,
    runners: Option<PathBuf>,
    port: u16,
    /// Of this process alone.
    token: String,
    /// Kept from one start to the next, for whoever was told it.
    secret: String,
    management: Option<SocketAddr>,
    _lock: File,
}

#[derive(Deserialize)]
struct Listed {
    connections: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: ConnectionName,
}

impl Host {
    /// Makes its folder in a project.
    ///
    /// # Errors
    /// If nothing can be written there, or somebody serves the project already.
    pub(super) fn new(project: &Project, folders: &Folders, port: u16) -> anyhow::Result<Self> {
        let folder = project.path(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
        // What runs here wrote entries, and who reads the secret may send events.
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let Some(lock) = try_lock(&folder.join(LOCK))? else {
            bail!("another `codenode dev` serves this project: end it, or use its webhook");
        };
        let secret = kept_secret(&folder.join(SECRET))?;
        let cache = std::path::absolute(folders.cache()?)?;
        let runners = folders.runners.as_deref().map(std::path::absolute).transpose()?;
        Ok(Self { folder, cache, runners, port, token: random()?, secret, management: None, _lock: lock })
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// Starts to serve what the configuration says by then.
    ///
    /// # Errors
    /// Where the port is taken, says which flag takes another one.
    pub(super) async fn start(&mut self) -> anyhow::Result<Server> {
        let file = self.folder.join(CONFIG);
        let environment = config::environment();
        let config = Config::load(Some(&file), &environment)?;
        let compiler = std::env::current_exe().context("cannot find the path of this program")?;
        let started = Server::start(config, Options { config_file: Some(file), environment, compiler }).await;
        let server = started.map_err(|error| match error {
            ServeError::Listen { address, source, .. } => {
                anyhow!("cannot listen on {address} ({source}): --port takes another port, or 0 for any that is free")
            }
            ServeError::Config(_)
            | ServeError::Tls(_)
            | ServeError::Sandbox(_)
            | ServeError::Egress(_)
            | ServeError::Storage(_)
            | ServeError::System(..)
            | ServeError::Worker(_) => error.into(),
        })?;
        self.management = Some(server.management());
        Ok(server)
    }

    /// Lets what was built serve, and the project's settings hold. A server that runs takes both over by itself.
    ///
    /// # Errors
    /// If they cannot be written, or the files that they name cannot be used.
    pub(super) fn offer(&self, project: &Project, built: &Built) -> anyhow::Result<()> {
        let config = config::of(self, project, ARTIFACT)?;
        self.replace(ARTIFACT, &built.artifact)?;
        self.replace(CONFIG, config.as_bytes())
    }

    /// Serves the node without code, until there is some.
    ///
    /// # Errors
    /// If that cannot be written.
    pub(super) fn offer_nothing(&self, project: &Project) -> anyhow::Result<()> {
        self.replace(CONFIG, config::of_nothing(self, project)?.as_bytes())
    }

    /// Sets what a configuration file has no place for, connections and messages, and removes those that nobody gives any more.
    ///
    /// # Errors
    /// What the server refuses.
    pub(super) fn set(&self, given: &Given) -> anyhow::Result<()> {
        let management = self.management.context("the server has not started")?;
        let (server, tenant) = (format!("http://{management}").parse()?, TENANT.parse()?);
        let client = Client::new(server, &self.token, Some(tenant), false, String::new())?;
        if !has_tenant(&client)? {
            client.create("/v1/tenants", &json!({ "id": TENANT }))?;
        }
        let connections = given.connections.as_deref().map(given::connections).transpose()?;
        set_connections(&client, &connections.unwrap_or_default())?;
        let (format, bytes) = match &given.messages {
            Some(file) => (message::format_of(file)?, message::read_file(file)?),
            None => (MessageFormat::Json, NO_MESSAGES.to_vec()),
        };
        client.put_file(&client.of_tenant("/message-file?replace=true")?, format.media_type(), &bytes)?;
        Ok(())
    }

    /// As a whole: who reads it sees the old one or the new one.
    fn replace(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let (place, draft) = (self.folder.join(name), self.folder.join(format!("{name}.draft")));
        if fs::read(&place).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        let written = fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, &place));
        written.with_context(|| format!("cannot write {}", place.display()))
    }
}

/// Where events of the project go.
pub(super) fn webhook(address: SocketAddr, node: &NodeId) -> String {
    format!("http://{address}/hooks/{TENANT}/{node}")
}

fn has_tenant(client: &Client) -> anyhow::Result<bool> {
    let all: serde_json::Value = client.get("/v1/tenants").and_then(|answer| answer.read())?;
    let all = all.get("tenants").and_then(serde_json::Value::as_array);
    Ok(all.is_some_and(|tenants| tenants.iter().any(|tenant| tenant.get("id").is_some_and(|id| id == TENANT))))
}

/// These and no others.
fn set_connections(client: &Client, wanted: &BTreeMap<ConnectionName, WantedConnection>) -> anyhow::Result<()> {
    let path = |name: &ConnectionName| client.of_tenant(&format!("/connections/{name}"));
    let Listed { connections } = client.get(&client.of_tenant("/connections")?)?.read()?;
    for Named { name } in connections.iter().filter(|there| !wanted.contains_key(&there.name)) {
        client.delete(&path(name)?)?;
    }
    for (name, WantedConnection { settings, secret }) in wanted {
        client.replace(&path(name)?, &json!({ "settings": settings, "secret": secret }))?;
    }
    Ok(())
}

fn kept_secret(file: &Path) -> anyhow::Result<String> {
    if let Ok(secret) = fs::read_to_string(file)
        && !secret.trim().is_empty()
    {
        return Ok(secret.trim().to_owned());
    }
    let secret = random()?;
    fs::write(file, &secret).with_context(|| format!("cannot write {}", file.display()))?;
    fs::set_permissions(file, Permissions::from_mode(0o600))?;
    Ok(secret)
}

/// 32 bytes of the system's generator, in hex.
fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A project whose handler is granted something, and what serves it.
    fn host() -> (tempfile::TempDir, Project, Host) {
        let project = tempfile::tempdir().unwrap();
        fs::write(project.path().join("node.toml"), "name = \"hello\"\ngrants = [\"kv:node\"]\n").unwrap();
        fs::write(project.path().join("main.py"), "").unwrap();
        let folder = project.path().to_owned();
        let (token, secret) = (random().unwrap(), random().unwrap());
        let lock = try_lock(&folder.join(LOCK)).unwrap().unwrap();
        let host = Host {
            cache: folder.clone(),
            folder,
            runners: None,
            port: 0,
            token,
            secret,
            management: None,
            _lock: lock,
        };
        let opened = Project::open(project.path()).unwrap();
        (project, opened, host)
    }

    fn node(host: &Host) -> server::config::Node {
        let config = Config::load(Some(&host.folder.join(CONFIG)), &config::environment()).unwrap();
        config.tenants[TENANT].nodes["hello"].clone()
    }

    #[test]
    fn what_serves_is_what_was_prepared_and_not_what_has_become_of_the_file() {
        let (_folder, project, host) = host();
        host.offer(&project, &Built { path: project.path("gone.wasm"), artifact: b"prepared".to_vec() }).unwrap();
        assert_eq!(fs::read(node(&host).artifact).unwrap(), b"prepared");
        assert_eq!(node(&host).grants.len(), 1);
    }

    #[test]
    fn nothing_of_the_time_before_serves_until_there_is_something() {
        let (_folder, project, host) = host();
        host.offer(&project, &Built { path: project.path("main.py"), artifact: b"old".to_vec() }).unwrap();
        host.offer_nothing(&project).unwrap();
        assert!(!node(&host).artifact.exists() && node(&host).grants.is_empty());
    }

    #[test]
    fn each_digit_of_a_secret_is_random() {
        let secrets: Vec<String> = (0..100).map(|_| random().unwrap()).collect();
        for at in 0..64 {
            let digits: BTreeSet<&str> = secrets.iter().map(|secret| &secret[at..=at]).collect();
            assert!(digits.len() > 1, "the digit {at} is always {digits:?}");
        }
    }
}
