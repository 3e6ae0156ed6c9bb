//! A secret, written as itself or as a reference to where it is kept.

use std::path::{Path, PathBuf};

use super::document::Section;
use super::value::Found;

/// A file larger than this holds no secret of ours.
const MAX_SECRET_BYTES: u64 = 4096;

/// Follows `env:NAME` and `file:path`, takes anything else as the secret itself, and refuses an empty one.
pub(super) fn read(section: &Section<'_>, found: &Found<'_>, files: &mut Vec<PathBuf>) -> Option<String> {
    let Some(text) = found.text() else {
        section.wrong(found, "must be a text in quotes: the secret itself, \"env:NAME\" or \"file:path\"");
        return None;
    };
    let resolved = if let Some(name) = text.strip_prefix("env:") {
        let value = section.document().environment().get(name).map(str::to_owned);
        value.ok_or_else(|| {
            format!("refers to the environment variable {name:?}, which is not set: set it and start again")
        })
    } else if let Some(path) = text.strip_prefix("file:") {
        let path = found.base().join(path);
        files.push(path.clone());
        read_file(&path).map_err(|why| format!("refers to the file {}, which cannot be read: {why}", path.display()))
    } else {
        Ok(text.to_owned())
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
