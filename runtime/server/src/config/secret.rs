//! A secret, written as itself or as a reference to where it is kept.

use std::path::{Path, PathBuf};

use super::document::Section;
use super::value::Found;

/// A file larger than this holds no secret of ours.
const MAX_SECRET_BYTES: u64 = 4096;

/// A secret as somebody wrote it.
pub enum Written<'a> {
    /// It stands there.
    Itself(&'a str),
    /// `env:NAME`
    Variable(&'a str),
    /// `file:path`
    File(&'a Path),
}

impl<'a> Written<'a> {
    /// What a text means where a secret is expected.
    pub fn of(text: &'a str) -> Self {
        match (text.strip_prefix("env:"), text.strip_prefix("file:")) {
            (Some(name), _) => Self::Variable(name),
            (None, Some(path)) => Self::File(Path::new(path)),
            (None, None) => Self::Itself(text),
        }
    }
}

/// Follows `env:NAME` and `file:path`, takes anything else as the secret itself, and refuses an empty one.
pub(super) fn read(section: &Section<'_>, found: &Found<'_>, files: &mut Vec<PathBuf>) -> Option<String> {
    let Some(text) = found.text() else {
        section.wrong(found, "must be a text in quotes: the secret itself, \"env:NAME\" or \"file:path\"");
        return None;
    };
    let resolved = match Written::of(text) {
        Written::Itself(text) => Ok(text.to_owned()),
        Written::Variable(name) => section.document().environment().get(name).map(str::to_owned).ok_or_else(|| {
            format!("refers to the environment variable {name:?}, which is not set: set it and start again")
        }),
        Written::File(path) => {
            let path = found.base().join(path);
            files.push(path.clone());
            read_file(&path)
                .map_err(|why| format!("refers to the file {}, which cannot be read: {why}", path.display()))
        }
    };
    match resolved {
        Ok(text) if text.is_empty() => {
            section
                .wrong(found, "is an empty secret, which anybody could sign with: give at least 16 random characters");
            None
        }
        Ok(text) => Some(text),
        Err(why) => {
            section.wrong(found, why);
            None
        }
    }
}

/// The file's text without the line break that editors and `echo` leave at its end.
fn read_file(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > MAX_SECRET_BYTES {
        return Err(std::io::Error::other("it is larger than 4 KiB, so it is no secret"));
    }
    let text = std::fs::read_to_string(path)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
