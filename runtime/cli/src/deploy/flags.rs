//! What a revision runs under, as flags say it and a project.

use anyhow::{Context as _, bail};
use model::{ConfigKey, ConfigOverrides, ConfigValue, Grant, OnBreak, Overrides, Settings};
use serde_json::{Map, Value};

use crate::config;
use crate::given::Given;
use crate::output::one_line;
use crate::project::Project;

/// What the revision runs under. What is not said is the server's default, not what the revision before had.
#[derive(clap::Args)]
pub(super) struct Flags {
    /// A reply completes the chat
    #[arg(long)]
    end_node: bool,
    /// A bot break hands the chat to an agent
    #[arg(long)]
    human_assistance: bool,
    /// Say this to the user after a bot break, which hides it from the platform
    #[arg(long, value_name = "TEXT")]
    say: Option<String>,
    /// What it may reach, such as `http:api.example.com` or `"http:api.example.com GET,POST"`; may be said several times
    #[arg(long = "grant", value_name = "GRANT")]
    pub(super) grants: Vec<Grant>,
    /// A value of its configuration for this revision, before that of the node and the tenant: a text, or `KEY:=JSON`; may be said several times
    #[arg(long = "config", value_name = "KEY=TEXT", value_parser = config::own)]
    config: Vec<(ConfigKey, ConfigValue)>,
    /// Another limit, such as `memory=128MiB`, `wall_time=5s` or `host_calls=100`; may be said several times
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = limit)]
    limits: Vec<(String, Value)>,
    /// The limits of a project, where these set none.
    #[arg(skip)]
    inherited: Overrides,
}

impl Flags {
    /// What a project says holds where these say nothing.
    pub(super) fn take_over(&mut self, project: &Project) {
        let said = Given { grants: std::mem::take(&mut self.grants), ..Given::default() };
        self.grants = said.or(project.given()).grants;
        self.inherited = project.manifest.overrides().clone();
    }

    /// Code that can call out and may not looks deployed and is not.
    pub(super) fn warn_of_missing_grants(&self, needs: &[String]) {
        for family in needs {
            if !self.grants.iter().any(|grant| grant.family().to_string() == *family) {
                let family = one_line(family);
                eprintln!(
                    "warning: the code can use {family}, of which nothing is granted: --grant {family}:… says what it may reach"
                );
            }
        }
    }

    /// All of it, in the server's words.
    ///
    /// # Errors
    /// Says what is set twice, or makes no sense.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        let mut set = Map::new();
        for (name, value) in &self.limits {
            if set.insert(name.clone(), value.clone()).is_some() {
                bail!("the limit `{name}` is set twice");
            }
        }
        let mut limits = match serde_json::to_value(&self.inherited)? {
            Value::Object(inherited) => inherited,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
        };
        limits.extend(set);
        let mut config = ConfigOverrides::new();
        for (key, value) in &self.config {
            if config.insert(key.clone(), value.clone()).is_some() {
                bail!("the value `{key}` is set twice");
            }
        }
        let settings = Settings {
            limits: serde_json::from_value::<Overrides>(Value::Object(limits)).context("--limit makes no sense")?,
            grants: self.grants.clone(),
            config,
            end_node: self.end_node,
            human_assistance: self.human_assistance,
            on_break: self.say.clone().map_or(OnBreak::Fail, OnBreak::Say),
        };
        let problems = settings.problems();
        if !problems.is_empty() {
            bail!("{}", problems.join("; "));
        }
        Ok(settings)
    }
}

fn limit(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value, such as memory=128MiB")?;
    let value = value.trim();
    Ok((name.trim().to_owned(), value.parse::<u64>().map_or_else(|_| Value::from(value), Value::from)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytesize::ByteSize;

    use super::*;

    fn flags(limits: &[&str]) -> Flags {
        let limits = limits.iter().map(|text| limit(text).unwrap()).collect();
        Flags {
            end_node: false,
            human_assistance: false,
            say: None,
            grants: Vec::new(),
            config: Vec::new(),
            limits,
            inherited: Overrides::default(),
        }
    }

    #[test]
    fn limits_read_as_in_the_configuration() {
        let settings = flags(&["memory=128MiB", "wall_time = 5s", "host_calls=100"]).settings().unwrap();
        assert_eq!(settings.limits.memory, Some(ByteSize::mib(128)));
        assert_eq!(settings.limits.wall_time, Some(Duration::from_secs(5)));
        assert_eq!(settings.limits.host_calls, Some(100));
    }

    #[test]
    fn a_limit_that_cannot_be_is_refused_before_anything_is_sent() {
        for (limits, why) in [
            (&["memories=1MiB"][..], "unknown field `memories`"),
            (&["memory=many"], "many"),
            (&["memory=1MiB", "memory=2MiB"], "twice"),
            (&["wall_time=1h"], "at most 28s"),
        ] {
            let error = format!("{:#}", flags(limits).settings().unwrap_err());
            assert!(error.contains(why), "{limits:?}: {error}");
        }
        assert!(limit("memory").is_err());
    }
}
