//! `config` and `config_secrets`: what is set for a node's handler, in the node's own section or, for a run without a server, in a file of its own.

use std::path::{Path, PathBuf};

use ::model::{ConfigKey, ConfigValue, Grant};
use serde_json::Value;
use zeroize::Zeroizing;

use super::document::{Document, Section};
use super::secret;
use super::value::{Found, Raw};
use super::{ConfigError, Environment, Problem, read_bounded};
use crate::values::{self, Own};

impl Own {
    /// Reads a file with the two tables for a handler with these grants, as a server would read them in a node's section.
    ///
    /// # Errors
    /// [`ConfigError`] lists every problem, each with its place and what to do.
    pub fn load(file: &Path, grants: &[Grant], environment: &Environment) -> Result<Self, ConfigError> {
        let text =
            read_bounded(file).map_err(|error| ConfigError { problems: vec![Problem::of_file(file, &error)] })?;
        let document = Document::new(file, &text, environment);
        let own = document.parse().map(|root| {
            let mut root = document.root(root.get_ref());
            let own = read(&mut root, grants, &mut Vec::new());
            root.finish();
            own
        });
        let problems = document.into_problems();
        match own {
            Some(own) if problems.is_empty() => Ok(own),
            Some(_) | None => Err(ConfigError { problems }),
        }
    }
}

/// What a section sets for a handler with these grants.
pub(super) fn read(section: &mut Section<'_>, grants: &[Grant], files: &mut Vec<PathBuf>) -> Own {
    let mut own = Own::default();
    let open = section.section("config");
    if section.has("config") && !grants.contains(&Grant::Config) {
        open.wrong_here("would be read by nobody: add \"config\" to the node's grants");
    }
    for (name, found) in open.named_values() {
        if let (Some(key), Some(value)) = (read_key(&open, name, &found), read_value(&open, &found)) {
            own.values.insert(key, value);
        }
    }
    let secrets = section.section("config_secrets");
    for (name, found) in secrets.named_values() {
        let (key, text) = (read_key(&secrets, name, &found), secret::read(&secrets, &found, files));
        let (Some(key), Some(text)) = (key, text) else { continue };
        if !grants.contains(&Grant::Secret(key.clone())) {
            secrets.wrong(&found, format!("would be read by nobody: add \"secret:{key}\" to the node's grants"));
        }
        if own.values.contains_key(&key) {
            secrets.wrong(&found, "is in `config` too, where everybody may see it: remove one of the two");
        }
        match values::Secret::new(key.clone(), Zeroizing::new(text)) {
            Ok(secret) => drop(own.secrets.insert(key, secret)),
            Err(why) => secrets.wrong(&found, format!("cannot be used: {why}")),
        }
    }
    own
}

fn read_key(section: &Section<'_>, name: &str, found: &Found<'_>) -> Option<ConfigKey> {
    name.parse().map_err(|error| section.wrong(found, format!("cannot be read by a handler: {error}"))).ok()
}

fn read_value(section: &Section<'_>, found: &Found<'_>) -> Option<ConfigValue> {
    let value = match &found.raw {
        Raw::Text(text) | Raw::Variable(text) => Value::from(*text),
        Raw::Integer(number) => Value::from(*number),
        Raw::Fraction(number) => Value::from(*number),
        Raw::Boolean(flag) => Value::from(*flag),
        Raw::Other(kind) => {
            section.wrong(
                found,
                format!("is {kind}: it must be a text, a number, true or false; write anything else as JSON in a text"),
            );
            return None;
        }
    };
    ConfigValue::try_from(value).map_err(|why| section.wrong(found, why.to_string())).ok()
}
