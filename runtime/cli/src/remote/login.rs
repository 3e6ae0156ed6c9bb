//! The login file: one server, its key and a tenant, for nobody but its owner to read.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model::TenantId;
use serde::{Deserialize, Serialize};

const FILE: &str = "codenode/login.toml";
const ONLY_OWNER: u32 = 0o600;

/// What `codenode login` keeps.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// The server that the rest is for.
    pub(crate) server: String,
    pub(crate) key: String,
    /// Where no other tenant is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<TenantId>,
}

impl Login {
    /// What was kept; `None` where nothing was.
    ///
    /// # Errors
    /// If the file cannot be read or makes no sense.
    pub(crate) fn read() -> anyhow::Result<Option<Self>> {
        let Some(path) = path() else { return Ok(None) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        if fs::metadata(&path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
            eprintln!("warning: others can read the key in {0}: chmod 600 {0}", path.display());
        }
        // The parser's own words would quote the line, which may be the key's.
        let login = toml::from_str(&text).ok();
        login.map(Some).with_context(|| format!("{} makes no sense: run `codenode login` again", path.display()))
    }

    /// Keeps it in the place of what was kept before, and says where.
    ///
    /// # Errors
    /// If there is no place for it.
    pub(crate) fn write(&self) -> anyhow::Result<PathBuf> {
        let path = path().context("neither XDG_CONFIG_HOME nor HOME is set: say where with XDG_CONFIG_HOME")?;
        let doing = || format!("cannot write {}", path.display());
        let folder = path.parent().with_context(doing)?;
        DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(doing)?;
        let draft = folder.join(format!(".login.toml.{}", std::process::id()));
        let written = write_draft(&draft, &toml::to_string(self)?).and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written.with_context(doing)?;
        Ok(path)
    }
}

fn write_draft(draft: &Path, text: &str) -> std::io::Result<()> {
    let _ = fs::remove_file(draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(ONLY_OWNER).open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn path() -> Option<PathBuf> {
    let from_env = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = from_env("XDG_CONFIG_HOME").or_else(|| Some(from_env("HOME")?.join(".config")))?;
    Some(folder.join(FILE))
}
