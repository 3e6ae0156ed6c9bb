//! `node.toml`: what a project's handler is called, how it is made, and what it is given.
//!
//! It is not called codenode.toml: that is a server's configuration, which `codenode serve` takes from the folder that it is started in.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use ipnet::IpNet;
use model::{Grant, Limits, NodeId, Overrides};
use serde::Deserialize;

/// What the file is called.
pub(crate) const FILE: &str = "node.toml";

/// A file larger than this says nothing of a project.
const MAX_BYTES: u64 = 1 << 20;

/// The keys that flags of `codenode run` and keys of a server's configuration have, too, mean the same here. Paths start from the folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The node that it is deployed as.
    pub(crate) name: NodeId,
    /// The handler in Python, JavaScript or TypeScript, where it is not called `main.py`, `main.js` or `main.ts`.
    pub(crate) source: Option<PathBuf>,
    /// Whether Python, JavaScript or TypeScript is built into a component, with packages, rather than kept as its source.
    #[serde(default)]
    pub(crate) component: bool,
    /// How the artifact is made, where nothing in the folder tells.
    pub(crate) build: Option<Build>,
    #[serde(default)]
    limits: Overrides,
    #[serde(default)]
    pub(crate) grants: Vec<Grant>,
    #[serde(default)]
    pub(crate) private_networks: Vec<IpNet>,
    pub(crate) connections: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) messages: Option<PathBuf>,
    /// Where `codenode run` keeps entries; tests begin with none.
    pub(crate) entries: Option<PathBuf>,
}

/// `[build]`: a command that makes the artifact, in whatever language.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Build {
    /// The program and its arguments; no shell looks at them.
    pub(crate) command: Vec<String>,
    /// What it makes.
    pub(crate) artifact: PathBuf,
    #[serde(default = "usual_deadline", with = "humantime_serde")]
    pub(crate) deadline: Duration,
}

impl Manifest {
    /// Reads the file.
    ///
    /// # Errors
    /// `node.toml:3: …`, with what is wrong there.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        let size = fs::metadata(file).with_context(|| format!("cannot read {shown}"))?.len();
        if size > MAX_BYTES {
            bail!("{shown} is larger than 1 MiB, so it says nothing of a project");
        }
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        let manifest: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            anyhow!("{shown}:{line}: {}", error.message())
        })?;
        if let Some(Build { command, .. }) = &manifest.build
            && command.first().is_none_or(|program| program.trim().is_empty())
        {
            bail!("{shown}: `build.command` names no program: write it as [\"make\", \"handler.wasm\"]");
        }
        Ok(manifest)
    }

    /// What one run may use.
    ///
    /// # Errors
    /// Names each limit that is out of range.
    pub(crate) fn limits(&self, file: &Path) -> anyhow::Result<Limits> {
        Limits::DEFAULT.with(&self.limits).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            anyhow!("{}: [limits]: {}", file.display(), errors.join("; "))
        })
    }

    /// The limits that it sets itself.
    pub(crate) const fn overrides(&self) -> &Overrides {
        &self.limits
    }
}

/// Long enough for a first build on a slow machine.
pub(super) const fn usual_deadline() -> Duration {
    Duration::from_secs(15 * 60)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Manifest> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        fs::write(&file, text).unwrap();
        let manifest = Manifest::read(&file)?;
        manifest.limits(&file)?;
        Ok(manifest)
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, place, why) in [
            ("name = \"a\"\ngrant = [\"kv:node\"]\n", "node.toml:2", "unknown field `grant`, expected one of `name`, "),
            ("name = \"a b\"\n", "node.toml:1", "`a b` is not a valid id"),
            ("name = \"a\"\n\ngrants = [\n  \"kv:mode\",\n]\n", "node.toml:3", "`kv:mode` is no grant"),
            ("name = \"a\"\n[limits]\nmemories = 1\n", "node.toml:3", "unknown field `memories`"),
            ("name = \"a\"\n[limits]\nwall_time = \"1h\"\n", "node.toml: [limits]", "at most 28s"),
            ("grants = []\n", "node.toml:1", "missing field `name`"),
            ("name = \"a\n", "node.toml:1", ""),
            ("name = \"a\"\n[build]\ncommand = []\nartifact = \"a.wasm\"\n", "node.toml", "names no program"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn everything_may_be_said() {
        let manifest = read(
            "name = \"ORDER_STATUS\"\nsource = \"bot.py\"\ngrants = [\"kv:node\", \"http:api.example.com GET\"]\n\
             private_networks = [\"127.0.0.0/8\"]\nconnections = \"c.toml\"\nconfig = \"config.toml\"\nmessages = \"m.csv\"\n\
             entries = \"entries\"\nlimits = { wall_time = \"5s\", memory = \"32 MiB\" }\n[build]\ncommand = [\"make\"]\n\
             artifact = \"a.wasm\"\ndeadline = \"2m\"\n",
        );
        let manifest = manifest.unwrap();
        assert_eq!(manifest.build.unwrap().deadline, Duration::from_secs(120));
        assert_eq!(manifest.limits.wall_time, Some(Duration::from_secs(5)));
    }
}
