use std::error::Error;
use std::io::{self, ErrorKind};
use std::iter;

/// Why storage did not do what it was asked to. Nothing has changed then, except where the answer to a commit was lost on its way.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is none.
    #[error("there is no {0}")]
    NotFound(String),
    /// There is one already.
    #[error("{0} exists already")]
    Exists(String),
    /// Somebody else changed it first, or it is in a state that does not allow this; the text says what to do.
    #[error("{0}")]
    Conflict(String),
    /// The tenant has as much of it stored as its quota allows; the text says of what.
    #[error("{0}")]
    OverQuota(String),
    /// No database could hold this, or no host could use it; the text says what to do.
    #[error("{0}")]
    Invalid(String),
    /// The database or the object store does not answer, or refuses to write.
    #[error("storage cannot {doing}: {source}")]
    Unavailable {
        /// What was to be done.
        doing: &'static str,
        /// What it says itself.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The disk is full, of the database or of the artifacts. It comes wherever [`Unavailable`](Self::Unavailable) may.
    #[error("storage cannot {doing}: {source}")]
    Full {
        /// What was to be done.
        doing: &'static str,
        /// What says so.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What is stored is not what this version of codenode writes.
    #[error("what is stored is damaged: {0}")]
    Damaged(String),
}

impl StorageError {
    pub(crate) fn unavailable(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        if is_full(&*source) { Self::Full { doing, source } } else { Self::Unavailable { doing, source } }
    }
}

/// SQLite's code for it, and PostgreSQL's.
const FULL: [&str; 2] = ["13", "53100"];

/// Whether it comes of a disk that is full, or of a quota on it that is.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let says_so = |error: &(dyn Error + 'static)| {
        let of_system = error.downcast_ref::<io::Error>().map(io::Error::kind);
        let of_database = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        matches!(of_system, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
            || of_database.and_then(|error| error.code()).is_some_and(|code| FULL.contains(&&*code))
    };
    iter::successors(Some(error), |&error| error.source()).any(says_so)
}

/// Refuses what PostgreSQL cannot hold and SQLite could, so that the two agree.
pub(crate) fn storable(what: &str, text: &str, most_bytes: usize) -> Result<(), StorageError> {
    if text.contains('\0') {
        return Err(StorageError::Invalid(format!(
            "{what} holds the character U+0000, which cannot be stored: remove it"
        )));
    }
    if text.len() > most_bytes {
        return Err(StorageError::Invalid(format!("{what} is longer than {most_bytes} bytes: shorten it")));
    }
    Ok(())
}
