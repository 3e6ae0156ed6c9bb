use std::io::{IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use model::{Details, NodeId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::form_urlencoded::Serializer;

use crate::output::one_line;
use crate::remote::{Client, OfTenant, confirm};

/// More than the largest value that a server takes.
const MAX_INPUT_BYTES: u64 = 1 << 20;

#[derive(clap::Args)]
pub(crate) struct Kv {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the keys of a bucket
    List {
        /// Only keys that begin with this
        #[arg(default_value = "")]
        prefix: String,
        #[command(flatten)]
        at: Bucket,
    },
    /// Print what is kept under a key, as it is
    Get {
        key: String,
        #[command(flatten)]
        at: Bucket,
    },
    /// Keep something under a key
    Set {
        key: String,
        /// A text; without one, what comes from standard input, as it is
        value: Option<String>,
        /// How long it is kept, such as `5m` [default: until it is deleted]
        #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
        ttl: Option<Duration>,
        #[command(flatten)]
        at: Bucket,
    },
    /// Delete what is kept under a key
    Delete {
        key: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        at: Bucket,
    },
}

#[derive(clap::Args)]
struct Bucket {
    /// The node whose own bucket is meant [default: the bucket that all nodes of the tenant share]
    #[arg(long)]
    node: Option<NodeId>,
    /// What is remembered of a `user`, by the user's id, or of a `conversation`, by the user's id, a stroke and the conversation's number
    #[arg(long, conflicts_with = "node", value_name = "user|conversation")]
    bucket: Option<Details>,
    #[command(flatten)]
    of: OfTenant,
}

#[derive(Deserialize)]
struct Listed {
    keys: Vec<String>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    value: Value,
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Value {
    Text(String),
    Base64(String),
}

impl Kv {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List { prefix, at } => list(&prefix, &at),
            Command::Get { key, at } => get(&key, &at),
            Command::Set { key, value, ttl, at } => set(&key, value, ttl, &at),
            Command::Delete { key, yes, at } => delete(&key, yes, &at),
        }
    }
}

impl Bucket {
    /// The path of something in it, with these parameters.
    fn path(&self, client: &Client, of: &str, parameters: &[(&str, &str)]) -> anyhow::Result<String> {
        let node = self.node.as_ref().map(|node| ("node", node.as_str()));
        let bucket = self.bucket.map(|bucket| ("bucket", bucket.name()));
        let place = node.iter().chain(&bucket);
        let query = Serializer::new(String::new()).extend_pairs(place.chain(parameters)).finish();
        client.of_tenant(&format!("/{of}?{query}"))
    }
}

/// Page by page, so that there is no end to how many there may be.
fn list(prefix: &str, at: &Bucket) -> anyhow::Result<ExitCode> {
    let client = at.of.client()?;
    let mut out = anstream::stdout();
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let mut parameters = vec![("limit", "1000"), ("prefix", prefix)];
        parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let Listed { keys, next } = client.get(&at.path(&client, "entries", &parameters)?)?.read()?;
        if client.json() {
            all.extend(keys);
        } else {
            keys.iter().try_for_each(|key| writeln!(out, "{}", one_line(key)))?;
        }
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    if client.json() {
        writeln!(out, "{}", json!({ "keys": all }))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn get(key: &str, at: &Bucket) -> anyhow::Result<ExitCode> {
    let client = at.of.client()?;
    let answer = client.get(&at.path(&client, "entry", &[("key", key)])?)?;
    if client.json() {
        answer.show(&client, |_, _: Told| Ok(()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Told { value, expires_at } = answer.read()?;
    let value = match value {
        Value::Text(text) => text.into_bytes(),
        Value::Base64(base64) => STANDARD.decode(base64)?,
    };
    let mut out = std::io::stdout();
    if out.is_terminal() {
        // A terminal obeys what a file keeps.
        writeln!(out, "{}", crate::output::printable(&String::from_utf8_lossy(&value)))?;
        if let Some(expires_at) = expires_at {
            eprintln!("expires at {expires_at}");
        }
    } else {
        out.write_all(&value)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn set(key: &str, value: Option<String>, ttl: Option<Duration>, at: &Bucket) -> anyhow::Result<ExitCode> {
    if let Some(details) = at.bucket {
        bail!("the `{}` of replies write to the bucket {details}: by hand it is read and deleted", details.field());
    }
    let client = at.of.client()?;
    let value = value.map_or_else(read_input, |value| Ok(value.into_bytes()))?;
    let ttl = ttl.map(|ttl| humantime::format_duration(ttl).to_string());
    let wanted = json!({ "value": Value::Base64(STANDARD.encode(value)), "ttl": ttl });
    client.replace(&at.path(&client, "entry", &[("key", key)])?, &wanted)?;
    let mut out = anstream::stdout();
    if client.json() {
        writeln!(out, "{}", json!({ "set": { "key": key } }))?;
    } else {
        writeln!(out, "{} is kept", one_line(key))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read_input() -> anyhow::Result<Vec<u8>> {
    let input = std::io::stdin();
    ensure!(!input.is_terminal(), "give the value behind the key, or on standard input");
    let mut value = Vec::new();
    input.lock().take(MAX_INPUT_BYTES).read_to_end(&mut value).context("cannot read standard input")?;
    Ok(value)
}

fn delete(key: &str, yes: bool, at: &Bucket) -> anyhow::Result<ExitCode> {
    let client = at.of.client()?;
    let path = at.path(&client, "entry", &[("key", key)])?;
    confirm(&format!("delete what is kept under {}", one_line(key)), yes)?;
    client.delete(&path)?;
    client.deleted("entry", &one_line(key))
}
