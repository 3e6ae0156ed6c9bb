//! `[storage]`: where everything is kept that outlives the process.

use std::fmt;
use std::path::PathBuf;

use ::storage::{MasterKey, ObjectPlace, Place};

use super::document::Section;
use super::secret;

/// What the folder's own master key is called.
const MASTER_KEY_FILE: &str = "master.key";

/// The database, the object store and the keys of secrets.
#[derive(Clone)]
pub struct Kept {
    /// Holds SQLite's file, artifacts and the master key, as far as nothing else is configured.
    pub directory: PathBuf,
    /// Where rows are kept.
    pub database: Place,
    /// Where artifacts are kept.
    pub artifacts: ObjectPlace,
    /// What secrets are sealed with, the current one first; empty: the key in [`Kept::master_key_file`].
    pub master_keys: Vec<MasterKey>,
}

impl Kept {
    fn within(directory: PathBuf) -> Self {
        let database = Place::Sqlite(directory.join("codenode.db"));
        let artifacts = ObjectPlace::Folder(directory.join("artifacts"));
        Self { directory, database, artifacts, master_keys: Vec::new() }
    }

    /// The key that is made at the first start where none is configured.
    pub fn master_key_file(&self) -> PathBuf {
        self.directory.join(MASTER_KEY_FILE)
    }

    pub(super) fn read(mut section: Section<'_>, files: &mut Vec<PathBuf>) -> Self {
        let mut kept = section.path("directory").map_or_else(Self::default, Self::within);
        let database = section.found("database");
        if let Some(url) =
            database.as_ref().and_then(|found| secret::read(&section, found, files).map(|url| (found, url)))
        {
            match url {
                (_, url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                    kept.database = Place::Postgres(url);
                }
                (found, _) => section.wrong(
                    found,
                    "must be the URL of a PostgreSQL database, such as \"env:DATABASE_URL\"; leave it out for SQLite in storage.directory",
                ),
            }
        }
        let endpoint = section.text("s3_endpoint");
        match section.text("artifacts") {
            Some(url) if url.starts_with("s3://") => kept.artifacts = ObjectPlace::Bucket { url, endpoint },
            Some(_) => section.wrong_key(
                "artifacts",
                "must read \"s3://bucket/prefix\"; leave it out for a folder in storage.directory",
            ),
            None if endpoint.is_some() => {
                section.wrong_key("s3_endpoint", "means nothing without artifacts = \"s3://…\"");
            }
            None => {}
        }
        let keys = section.list("master_keys");
        if keys.as_ref().is_some_and(Vec::is_empty) {
            section.wrong_key("master_keys", "is empty: leave it out for a key in storage.directory, or give one");
        }
        for found in keys.iter().flatten() {
            match secret::read(&section, found, files).map(|text| text.parse()) {
                Some(Ok(key)) => kept.master_keys.push(key),
                Some(Err(error)) => section.wrong(found, format!("cannot be used: {error}")),
                None => {}
            }
        }
        section.finish();
        kept
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::within(PathBuf::from("./.codenode"))
    }
}

/// A change takes a new start: keys are compared by their ids.
impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        let ids = |kept: &Self| kept.master_keys.iter().map(|key| key.id().to_owned()).collect::<Vec<_>>();
        (&self.directory, &self.database, &self.artifacts) == (&other.directory, &other.database, &other.artifacts)
            && ids(self) == ids(other)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("directory", &self.directory)
            .field("database", &self.database)
            .field("artifacts", &self.artifacts)
            .field("master_keys", &self.master_keys.len())
            .finish()
    }
}
