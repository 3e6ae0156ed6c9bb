//! Everybody who does the job: the native limit, codenode with each kind of guest and of source, and the others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

use crate::codenode::Setup;
use crate::price::SECRET;
use crate::process::{Cores, Process, free_port};

/// The contestant to whom everybody is compared.
pub const NATIVE: &str = "native";
/// codenode with the Rust code node.
pub const CODENODE: &str = "codenode";
/// codenode with a WASI command.
pub const CODENODE_COMMAND: &str = "codenode-command";

/// codenode with the Rust code node, deployed over the API.
pub const CODENODE_STORED: &str = "codenode-stored";

/// The node that does the job.
pub const NODE: &str = "PRODUCT_PRICE";

/// The node that answers with as many messages as it is asked for.
pub const LONG_NODE: &str = "LONG_REPLY";

/// The node that asks a service and its store.
pub const REACH_NODE: &str = "REACHING";

/// What was built before the bench began.
pub struct Files {
    /// The program `codenode`, as an operator runs it.
    pub codenode: PathBuf,
    /// The native contestant.
    pub native: PathBuf,
    /// The folder of the guests.
    pub guests: PathBuf,
    /// The folder of the examples, where sources are.
    pub examples: PathBuf,
    /// A folder for configurations, logs and compiled code.
    pub scratch: PathBuf,
}

impl Files {
    /// The file of a guest.
    pub fn guest(&self, name: &str) -> PathBuf {
        self.guests.join(format!("{name}.wasm"))
    }
}

/// Who does the job.
pub struct Contestant {
    /// For figures and filters.
    pub name: String,
    /// What a reader should know of it.
    pub label: String,
    how: How,
}

enum How {
    /// codenode with this artifact, a guest or a source.
    Codenode { artifact: PathBuf },
    /// Another program.
    Other { command: Vec<String>, environment: BTreeMap<String, String> },
}

/// A contestant as the set-up writes it down; `{port}` and `{secret}` stand for what we choose.
#[derive(Deserialize)]
struct Other {
    name: String,
    label: String,
    command: Vec<String>,
    environment: BTreeMap<String, String>,
}

/// Ourselves, the native limit, and whoever stands in the file `others`.
///
/// # Errors
/// The file is not what the set-up writes.
pub fn all(files: &Files, others: &Path) -> anyhow::Result<Vec<Contestant>> {
    let text = fs::read_to_string(others).with_context(|| format!("cannot read {}", others.display()))?;
    let others: Vec<Other> =
        serde_json::from_str(&text).with_context(|| format!("{} holds something else", others.display()))?;
    let native = Contestant {
        name: NATIVE.into(),
        label: "axum, the handler compiled in".into(),
        how: How::Other {
            command: vec![files.native.display().to_string()],
            environment: [("PORT", "{port}"), ("SECRET", "{secret}")].map(|(k, v)| (k.into(), v.into())).into(),
        },
    };
    let codenode = |name: &str, what: &str, artifact| Contestant {
        name: name.into(),
        label: format!("codenode, {what}, fresh instance"),
        how: How::Codenode { artifact },
    };
    let source = |file: &str| files.examples.join(file);
    let ours = [
        codenode(CODENODE, "Rust code node", files.guest("product-price")),
        codenode(CODENODE_COMMAND, "WASI command (preview 1)", files.guest("price-command")),
        codenode("codenode-javascript", "JavaScript source", source("price-javascript/main.js")),
        codenode("codenode-python", "Python source", source("price-python/main.py")),
    ];
    let others = others.into_iter().map(|Other { name, label, command, environment }| Contestant {
        name,
        label,
        how: How::Other { command, environment },
    });
    Ok([native].into_iter().chain(ours).chain(others).collect())
}

impl Contestant {
    /// Starts it on these cores.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub fn start(&self, files: &Files, cores: Cores) -> anyhow::Result<Process> {
        let (command, environment) = match &self.how {
            How::Codenode { artifact } => {
                return Setup::new("throughput")
                    .node(NODE, artifact, "")
                    .node(LONG_NODE, &files.guest("long-reply"), "")
                    .start(files, cores);
            }
            How::Other { command, environment } => (command, environment),
        };
        let port = free_port()?;
        let filled = |text: &String| text.replace("{port}", &port.to_string()).replace("{secret}", SECRET);
        let mut words = command.iter().map(filled);
        let mut program = Command::new(words.next().with_context(|| format!("{} has no command", self.name))?);
        program.args(words).envs(environment.iter().map(|(name, value)| (name, filled(value))));
        Process::start(program, port, cores, &files.scratch.join(format!("{}.log", self.name)))
    }
}
