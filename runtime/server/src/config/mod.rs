//! The configuration: `codenode.toml`, with the environment over it, read into types that cannot be wrong.
//!
//! One struct per concern; `defaults.toml` documents every key. All problems are reported at once, and none of them quotes a secret.

mod deliveries;
mod document;
mod egress;
mod environment;
mod front_door;
mod limits;
mod log;
mod management;
mod own;
mod problem;
mod quota;
mod records;
mod sandbox;
mod secret;
mod storage;
mod tenants;
mod traces;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use ::model::{Limits, Quota, TenantId};

use document::Document;
use tenants::Host;

pub use deliveries::Deliveries;
pub use egress::Egress;
pub use environment::Environment;
pub use front_door::{FrontDoor, TlsFiles};
pub use log::{Format, Log};
pub use management::{Management, Token};
pub use problem::Problem;
pub use records::Records;
pub use sandbox::Runs;
pub use secret::Written;
pub use storage::Kept;
pub use tenants::{Node, Tenant};
pub use traces::{Endpoint, Traces};

/// Where the configuration is looked for when nobody says.
pub const DEFAULT_FILE: &str = "codenode.toml";

/// Every key with its default and what it is for.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// A file larger than this is no configuration.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// The sections whose keys the environment may set.
const PROCESS_SECTIONS: [&str; 10] =
    ["front_door", "management", "storage", "records", "deliveries", "sandbox", "egress", "limits", "quota", "traces"];

/// Everything that `codenode serve` can be told.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The file that was read; `None` where the default file does not exist.
    pub file: Option<PathBuf>,
    /// Where events come in.
    pub front_door: FrontDoor,
    /// Where operators look in.
    pub management: Management,
    /// Where everything is kept that outlives the process.
    pub storage: Kept,
    /// How long it is kept what ran.
    pub records: Records,
    /// How long it is known that an event has been answered.
    pub deliveries: Deliveries,
    /// How runs share this host.
    pub sandbox: Runs,
    /// How the requests of handlers leave this host.
    pub egress: Egress,
    /// What a node gets that sets no limits of its own.
    pub limits: Limits,
    /// What a tenant gets that sets no quota of its own.
    pub quota: Quota,
    /// Where traces of events go.
    pub traces: Traces,
    /// What is logged, and how.
    pub log: Log,
    /// The tenants and their nodes.
    pub tenants: BTreeMap<TenantId, Tenant>,
    /// Files whose contents became part of this: secrets and the token.
    pub referenced_files: Vec<PathBuf>,
}

/// Why there is no configuration: every problem that was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// In the order of the file; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "the configuration has {count} problem{}:", if count == 1 { "" } else { "s" })?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl Config {
    /// Reads `file`, or `codenode.toml` in the working directory where it exists, and puts the environment over it.
    ///
    /// # Errors
    /// [`ConfigError`] lists every problem, each with its place and what to do.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        match read_bounded(path) {
            Ok(text) => Ok(Self { file: Some(path.to_owned()), ..Self::parse(path, &text, environment)? }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => {
                Self::parse(path, "", environment)
            }
            Err(error) => Err(ConfigError { problems: vec![Problem::of_file(path, &error)] }),
        }
    }

    /// Reads the text of a configuration file; relative paths in it start from `file`'s directory.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(file: &Path, text: &str, environment: &Environment) -> Result<Self, ConfigError> {
        let document = Document::new(file, text, environment);
        let config = document.parse().map(|root| Self::read(&document, root.get_ref()));
        let problems = document.into_problems();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            Some(_) | None => Err(ConfigError { problems }),
        }
    }

    fn read<'a>(document: &Document<'a>, root: &toml::de::DeTable<'a>) -> Self {
        let mut root = document.root(root);
        let mut files = Vec::new();
        let front_door = FrontDoor::read(root.process_section("front_door"));
        let management = Management::read(root.process_section("management"), &mut files);
        let storage = Kept::read(root.process_section("storage"), &mut files);
        let records = Records::read(root.process_section("records"));
        let deliveries = Deliveries::read(root.process_section("deliveries"));
        let sandbox = Runs::read(root.process_section("sandbox"));
        let egress = Egress::read(root.process_section("egress"));
        let limits = limits::read(root.process_section("limits"), &Limits::DEFAULT);
        let quota = quota::read(root.process_section("quota"), &Quota::DEFAULT);
        let traces = Traces::read(root.process_section("traces"), &mut files);
        let log = Log::read(root.process_section("log"));
        let tenants = tenants::read(root.section("tenants"), &Host { limits, quota }, &mut files);
        root.finish();
        document.reject_unknown_variables(&PROCESS_SECTIONS);
        Self {
            file: None,
            front_door,
            management,
            storage,
            records,
            deliveries,
            sandbox,
            egress,
            limits,
            quota,
            traces,
            log,
            tenants,
            referenced_files: files,
        }
    }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(std::io::Error::other("it is larger than 8 MiB, so it is no configuration"));
    }
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests;
