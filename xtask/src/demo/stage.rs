//! What the tour needs on disk, in `target/demo`: a configuration, secrets made for this one start, and events.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::guests;

const FOLDER: &str = "target/demo";
const NODES: [&str; 8] = [
    "product-price",
    "order-status",
    "order-tracker",
    "appointment",
    "echo-command",
    "price-python",
    "price-javascript",
    "naughty",
];

/// The folder of the tour, and the program that it shows.
pub(crate) struct Stage {
    pub(crate) codenode: PathBuf,
    shop: SocketAddr,
}

impl Stage {
    /// Writes everything anew; only compiled code stays from the last time.
    pub(crate) fn set(codenode: PathBuf, shop: SocketAddr) -> anyhow::Result<Self> {
        let stage = Self { codenode, shop };
        fs::create_dir_all(Path::new(FOLDER).join("events")).with_context(|| format!("cannot make {FOLDER}"))?;
        write_private(&stage.secret(), &random_hex()?)?;
        write_private(&stage.token(), &random_hex()?)?;
        write_private(&stage.config(), &configuration(shop))?;
        Ok(stage)
    }

    pub(crate) fn config(&self) -> PathBuf {
        Path::new(FOLDER).join("codenode.toml")
    }

    pub(crate) fn secret(&self) -> PathBuf {
        Path::new(FOLDER).join("webhook.secret")
    }

    pub(crate) fn token(&self) -> PathBuf {
        Path::new(FOLDER).join("management.token")
    }

    pub(crate) fn log(&self) -> PathBuf {
        Path::new(FOLDER).join("server.log")
    }

    /// An event that asks `naughty` for one misbehaviour.
    pub(crate) fn write_event(&self, misbehaviour: &str) -> anyhow::Result<PathBuf> {
        write_event("en", misbehaviour, "naughty", ("misbehave", misbehaviour), &json!({}))
    }

    /// An event that asks `order-tracker` for the shop's order, by somebody who speaks this language.
    pub(crate) fn write_order(&self, language: &str) -> anyhow::Result<PathBuf> {
        let variables = json!({ "orders_url": format!("http://{}", self.shop) });
        write_event(language, &format!("order-{language}"), "order-tracker", ("order_id", "71"), &variables)
    }
}

fn write_event(
    language: &str,
    name: &str,
    node: &str,
    (entity, value): (&str, &str),
    variables: &Value,
) -> anyhow::Result<PathBuf> {
    let detected = json!([{ "detection": "message", "original_text": value, "entity_value": value }]);
    let event = json!({
        "node": node,
        "event": "API_INTEGRATION",
        "user": { "user_name": "u1", "full_name": "", "device_platform": 5, "language_code": language },
        "entities": { entity: detected },
        "env_variables": variables,
    });
    let path = Path::new(FOLDER).join("events").join(format!("{name}.json"));
    fs::write(&path, event.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Ports of the system's choice, which the server's log then names; so the log is JSON, for us to read. The shop's network is this machine.
fn configuration(shop: SocketAddr) -> String {
    let mut text = r#"[front_door]
listen = "127.0.0.1:0"

[management]
listen = "127.0.0.1:0"
token = "file:management.token"

[storage]
directory = "state"

[sandbox]
cache_directory = "compiled"

[log]
format = "json"
"#
    .to_owned();
    for node in NODES {
        // Paths in the file start from its own folder, which is two below.
        let artifact = Path::new("../..").join(artifact(node));
        let _ = write!(
            text,
            "\n[tenants.demo.nodes.{node}]\nartifact = \"{}\"\nsecrets = [\"file:webhook.secret\"]\n",
            artifact.display()
        );
        if node == "order-tracker" {
            let _ = writeln!(text, "grants = [\"http:http://{shop} GET\", \"kv:messages\"]");
        }
    }
    let _ = write!(text, "\n[tenants.demo]\nprivate_networks = [\"{}/32\"]\n", shop.ip());
    text
}

/// What runs as a node: its source, where that is enough, or what is built of it.
fn artifact(node: &str) -> PathBuf {
    let folder = Path::new("examples").join(node);
    let source = ["main.py", "main.js"].map(|name| folder.join(name)).into_iter().find(|source| source.exists());
    source.unwrap_or_else(|| Path::new(guests::FOLDER).join(format!("{node}.wasm")))
}

/// Replaces a file by one that only this user can read.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        if path.exists() {
            fs::remove_file(path)?;
        }
        File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn random_hex() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
}
