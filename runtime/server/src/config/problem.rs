//! What can be wrong with a configuration, in words that say what to do.

use std::fmt;
use std::path::Path;

/// What every process-level variable's name begins with.
const VARIABLE_PREFIX: &str = "CODENODE_";

/// Below this similarity a suggestion would only puzzle.
const NEAR: f64 = 0.5;

/// One thing that is wrong with the configuration, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `codenode.toml:12`, or the name of an environment variable.
    pub(super) place: String,
    /// Where in the file, to sort by; 0 outside it.
    pub(super) line: usize,
    /// The key's whole path, such as `front_door.listen`; empty where the document as a whole is wrong.
    pub(super) key: String,
    pub(super) text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.place, self.text)
        } else {
            write!(f, "{}: `{}` {}", self.place, self.key, self.text)
        }
    }
}

impl Problem {
    /// The file itself cannot be read.
    pub(super) fn of_file(path: &Path, error: &std::io::Error) -> Self {
        let text = format!("cannot be read: {error}; give the path of a configuration file with --config");
        Self { place: path.display().to_string(), line: 0, key: String::new(), text }
    }
}

/// `front_door.listen` is `CODENODE_FRONT_DOOR_LISTEN`; the log's level, which everybody sets, is `CODENODE_LOG`.
pub(super) fn variable_of(key: &str) -> String {
    match key {
        "log.level" => format!("{VARIABLE_PREFIX}LOG"),
        _ => format!("{VARIABLE_PREFIX}{}", key.replace('.', "_").to_ascii_uppercase()),
    }
}

/// What to write instead of `unknown`: the nearest known key, or all of them where none is near.
pub(super) fn suggestion<'k>(unknown: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.collect();
    let likeness = |key: &str| strsim::normalized_damerau_levenshtein(unknown, key);
    let nearest = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        Some(nearest) if likeness(nearest) >= NEAR => format!(": did you mean `{nearest}`?"),
        Some(_) => format!("; the known ones here are {}", known.join(", ")),
        None => String::new(),
    }
}
