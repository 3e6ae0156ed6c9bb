//! The configuration that a webhook's server reads: the project's settings, as a node of a server has them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use server::Environment;
use server::config::Written;
use toml::{Table, Value};

use super::{Host, TENANT};
use crate::given::{self, Given};
use crate::project::Project;

/// Where there never is an artifact: the server looks for one again and again, and finds none.
const NOTHING: &str = "nothing.wasm";
/// What the server's variables begin with, so that it takes none of the author's for a setting of its own.
const OF_AUTHOR: &str = "AUTHOR_";

/// What `env:NAME` means in the configuration.
pub(super) fn environment() -> Environment {
    Environment::of_process().behind(OF_AUTHOR)
}

/// A node that has what the project gives it, and runs an artifact.
///
/// # Errors
/// If the file that it names cannot be used.
pub(super) fn of(host: &Host, project: &Project, artifact: &str) -> anyhow::Result<String> {
    let given = project.given();
    let mut node = Table::from_iter([
        entry("artifact", artifact),
        entry("grants", texts(&given.grants)),
        entry("limits", Value::try_from(project.manifest.overrides())?),
    ]);
    if let Some(file) = &given.config {
        node.extend(own(file, &given)?);
    }
    whole(host, project, node, texts(&given.private_networks))
}

/// A node that has nothing, and runs nothing.
///
/// # Errors
/// As [`of`].
pub(super) fn of_nothing(host: &Host, project: &Project) -> anyhow::Result<String> {
    whole(host, project, Table::from_iter([entry("artifact", NOTHING)]), texts::<String>(&[]))
}

fn whole(host: &Host, project: &Project, mut node: Table, private_networks: Value) -> anyhow::Result<String> {
    node.extend([entry("secrets", vec![Value::from(host.secret.as_str())])]);
    let nodes = Table::from_iter([entry(project.manifest.name.as_str(), node)]);
    let tenant = Table::from_iter([entry("private_networks", private_networks), entry("nodes", nodes)]);
    let listen = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string();
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let mut sandbox = Table::from_iter([entry("cache_directory", shown(&host.cache)), entry("runs", 8)]);
    sandbox.extend(host.runners.as_deref().map(|runners| entry("runners", shown(runners))));
    let whole = Table::from_iter([
        entry("front_door", Table::from_iter([entry("listen", listen(host.port)), entry("workers", 1)])),
        entry("management", Table::from_iter([entry("listen", listen(0)), entry("token", host.token.as_str())])),
        entry("storage", Table::from_iter([entry("directory", "storage")])),
        entry("sandbox", sandbox),
        entry("tenants", Table::from_iter([entry(TENANT, tenant)])),
    ]);
    Ok(toml::to_string(&whole)?)
}

/// What a file sets, for a server that reads it in another folder and with [`environment`].
fn own(file: &Path, given: &Given) -> anyhow::Result<Table> {
    // What the server would refuse is told here, where the author looks.
    given::own(file, &given.grants)?;
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    // Only the message: the error's own display quotes the line, and that may hold a secret.
    let own: Result<Table, _> = toml::from_str(&text);
    let mut own = own.map_err(|error| anyhow!("{}: {}", file.display(), error.message()))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    for (_, secret) in own.get_mut("config_secrets").and_then(Value::as_table_mut).into_iter().flatten() {
        if let Some(text) = secret.as_str() {
            *secret = from_elsewhere(text, folder)?.into();
        }
    }
    Ok(own)
}

/// The same secret, written so that it means the same to the server.
fn from_elsewhere(text: &str, folder: &Path) -> anyhow::Result<String> {
    Ok(match Written::of(text) {
        Written::Itself(text) => text.to_owned(),
        Written::Variable(name) => format!("env:{OF_AUTHOR}{name}"),
        Written::File(path) => {
            let path = std::path::absolute(folder.join(path))?;
            format!("file:{}", path.to_str().context("the path of the project is not UTF-8")?)
        }
    })
}

fn texts<T: ToString>(all: &[T]) -> Value {
    all.iter().map(|one| Value::from(one.to_string())).collect::<Vec<_>>().into()
}

fn entry(key: &str, value: impl Into<Value>) -> (String, Value) {
    (key.to_owned(), value.into())
}
