use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;
use jiff::Timestamp;
use model::{ConfigKey, ConfigValue, NodeId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::output::{one_line, printable};
use crate::remote::{self, Client, OfTenant, Table, confirm, moment};

#[derive(clap::Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List what is set for all nodes of a tenant, or for one
    List {
        #[command(flatten)]
        at: Place,
    },
    /// Print a value, as handlers read it
    Get {
        key: ConfigKey,
        #[command(flatten)]
        at: Place,
    },
    /// Set a value, which handlers read from then on
    Set {
        key: ConfigKey,
        /// The value; a secret comes from standard input, or is typed unseen
        #[arg(required_unless_present = "secret", conflicts_with = "secret", allow_hyphen_values = true)]
        value: Option<String>,
        /// What the value is. Handlers read the same; who looks at it sees it as such
        #[arg(long = "type", value_name = "TYPE", default_value = "text", conflicts_with = "secret")]
        kind: Kind,
        /// Let nobody read it back but handlers that are granted it as `secret:KEY`
        #[arg(long)]
        secret: bool,
        #[command(flatten)]
        at: Place,
    },
    /// Delete a value
    Delete {
        key: ConfigKey,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        at: Place,
    },
}

#[derive(clap::Args)]
struct Place {
    /// The node that it is set for [default: all nodes of the tenant that have no value of their own]
    #[arg(long)]
    node: Option<NodeId>,
    #[command(flatten)]
    of: OfTenant,
}

/// What a value is.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Kind {
    Text,
    Number,
    Boolean,
    /// A list or an object, or any other JSON
    Json,
}

#[derive(Deserialize)]
struct Listed {
    config: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    key: ConfigKey,
    value: Option<ConfigValue>,
    changed_at: Timestamp,
    changed_by: String,
}

impl Config {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List { at } => list(&at),
            Command::Get { key, at } => get(&key, &at),
            Command::Set { key, value, kind, at, .. } => set(&key, value.as_deref(), kind, &at),
            Command::Delete { key, yes, at } => delete(&key, yes, &at),
        }
    }
}

impl Place {
    /// The path of what is set there, or of one value of it.
    fn path(&self, client: &Client, key: Option<&ConfigKey>) -> anyhow::Result<String> {
        let key = key.map_or_else(String::new, |key| format!("/{key}"));
        let node = self.node.as_ref().map_or_else(String::new, |node| format!("?node={node}"));
        client.of_tenant(&format!("/config{key}{node}"))
    }
}

impl Kind {
    /// A value that somebody wrote.
    ///
    /// # Errors
    /// If it is something else.
    fn read(self, text: &str) -> anyhow::Result<ConfigValue> {
        let (value, what) = match self {
            Self::Text => return Ok(Value::from(text).try_into()?),
            Self::Number => (json(text)?, "a number"),
            Self::Boolean => (json(text)?, "true or false"),
            Self::Json => return Ok(json(text)?.try_into()?),
        };
        let is_right = if self == Self::Number { value.is_number() } else { value.is_boolean() };
        ensure!(is_right, "{} is not {what}: without --type it is a text", printable(text));
        Ok(value.try_into()?)
    }
}

fn json(text: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).with_context(|| format!("{} is not JSON: without --type it is a text", printable(text)))
}

/// A value for one revision: `KEY=TEXT`, or `KEY:=JSON`.
///
/// # Errors
/// Says how it is written.
pub(crate) fn own(text: &str) -> Result<(ConfigKey, ConfigValue), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=TEXT, or as KEY:=JSON for anything but a text")?;
    let (key, kind) = key.strip_suffix(':').map_or((key, Kind::Text), |key| (key, Kind::Json));
    let key = key.trim().parse::<ConfigKey>().map_err(|error| error.to_string())?;
    kind.read(value).map(|value| (key, value)).map_err(|error| format!("{error:#}"))
}

fn list(at: &Place) -> anyhow::Result<ExitCode> {
    let client = at.of.client()?;
    client.get(&at.path(&client, None)?)?.show(&client, |out, listed: Listed| {
        if listed.config.is_empty() {
            return writeln!(out, "nothing is set yet: {}", client.command("config set KEY VALUE"));
        }
        let mut table = Table::new(&["KEY", "VALUE", "CHANGED", "BY"]);
        for Told { key, value, changed_at, changed_by } in listed.config {
            let value = value.map_or_else(|| "(secret)".to_owned(), |value| one_line(&value.text()));
            table.row([key.to_string(), value, moment(changed_at), changed_by]);
        }
        table.write(out)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn get(key: &ConfigKey, at: &Place) -> anyhow::Result<ExitCode> {
    let client = at.of.client()?;
    let answer = client.get(&at.path(&client, Some(key))?)?;
    if !client.json() && answer.read::<Told>()?.value.is_none() {
        bail!("{key} is secret: nobody reads it back, and `codenode config set {key} --secret` sets it anew");
    }
    answer.show(&client, |out, told: Told| {
        told.value.map_or(Ok(()), |value| writeln!(out, "{}", printable(&value.text())))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn set(key: &ConfigKey, value: Option<&str>, kind: Kind, at: &Place) -> anyhow::Result<ExitCode> {
    let wanted = match value {
        Some(text) => json!({ "value": kind.read(text)? }),
        None => json!({ "secret": remote::secret("the secret")? }),
    };
    let client = at.of.client()?;
    client.replace(&at.path(&client, Some(key))?, &wanted)?.show(&client, |out, told: Told| {
        let grant = if told.value.is_none() { format!("secret:{key}") } else { "config".to_owned() };
        writeln!(out, "{key} is set; nodes that are granted {grant} read it")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn delete(key: &ConfigKey, yes: bool, at: &Place) -> anyhow::Result<ExitCode> {
    let client = at.of.client()?;
    let path = at.path(&client, Some(key))?;
    confirm(&format!("delete the value {key}"), yes)?;
    client.delete(&path)?;
    client.deleted("value", key.as_str())
}
