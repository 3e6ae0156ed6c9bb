//! Opening storage as it is configured, and the master key that is made where none is.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use model::Actor;
use storage::{MasterKey, Storage};
use tracing::warn;

use crate::config::{Config, Kept};

/// Opens the database and the object store.
///
/// # Errors
/// What cannot be reached, made or used, and what to do.
pub(crate) async fn open(kept: &Kept) -> anyhow::Result<Storage> {
    let master_keys =
        if kept.master_keys.is_empty() { vec![master_key(&kept.master_key_file())?] } else { kept.master_keys.clone() };
    let config = storage::Config { database: kept.database.clone(), objects: kept.artifacts.clone(), master_keys };
    Ok(Storage::open(config).await?)
}

/// Seals every stored secret anew that is sealed with another key than the first of `storage.master_keys`; says how many there were. Servers may
/// run meanwhile, if they know both keys.
///
/// # Errors
/// Storage cannot be opened, or a secret is sealed with a key that is not configured; then nothing has changed.
pub async fn reseal(config: &Config) -> anyhow::Result<usize> {
    let storage = open(&config.storage).await?;
    let resealed = storage.reseal(&Actor::operator()).await?;
    storage.close().await;
    Ok(resealed)
}

/// The key in the file; a fresh one, written there for this user alone, where there is no file yet.
fn master_key(file: &Path) -> anyhow::Result<MasterKey> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(file)?,
        Err(error) => return Err(error).with_context(|| format!("cannot read the master key {}", file.display())),
    };
    text.parse().with_context(|| format!("{} is damaged: put back the one from your backup", file.display()))
}

fn make(file: &Path) -> anyhow::Result<String> {
    let text = MasterKey::generate()?;
    write(file, &text).with_context(|| format!("cannot write the master key {}", file.display()))?;
    warn!(
        file = %file.display(),
        "made a master key, which secrets are sealed with: keep a copy apart from the data, or set storage.master_keys"
    );
    Ok(text.to_string())
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)?;
    }
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut key = options.write(true).create_new(true).open(file)?;
    writeln!(key, "{text}")?;
    key.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_is_made_once_and_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/master.key");
        let made = master_key(&file).unwrap();
        assert_eq!(master_key(&file).unwrap().id(), made.id());
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&file.metadata().unwrap()) & 0o777, 0o600);
        std::fs::write(&file, "shorter").unwrap();
        let error = format!("{:#}", master_key(&file).unwrap_err());
        assert!(error.contains("is damaged") && !error.contains("shorter"), "{error}");
    }
}
