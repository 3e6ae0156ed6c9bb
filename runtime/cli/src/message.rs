use std::fs;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use model::{Language, MessageAction, MessageKey};
use serde::Deserialize;
use serde_json::{Value, json};
use server::{MAX_MESSAGE_FILE_BYTES, MessageFormat};
use url::form_urlencoded::Serializer;

use crate::output::{one_line, printable};
use crate::remote::{Client, OfTenant, Table, confirm, moment};

/// More than the largest text that a server takes.
const MAX_INPUT_BYTES: u64 = 1 << 20;

#[derive(clap::Args)]
pub(crate) struct Message {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List messages with their texts
    List {
        /// Only those whose names begin with this; a name is the key, or KEY/LANGUAGE
        #[arg(default_value = "")]
        prefix: String,
        /// Only those in this language
        #[arg(long, value_name = "TAG")]
        language: Option<Language>,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Print a message's text, as it is
    Get {
        #[command(flatten)]
        at: Place,
    },
    /// Write a message: handlers read it from their next run on
    Set {
        key: MessageKey,
        /// What it says; without it, what comes from standard input, but for a line break at its end
        text: Option<String>,
        /// What it is for, for whoever edits it [default: as it was]
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Only if it is at this version still; 0 if it never was
        #[arg(long, value_name = "VERSION")]
        if_version: Option<u64>,
        #[command(flatten)]
        of: In,
    },
    /// Delete a message; for 30 days it can be restored
    Delete {
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        at: Place,
    },
    /// Show what a message is and was
    History {
        #[command(flatten)]
        at: Place,
    },
    /// Give a message the text of an earlier version, also if it is deleted
    Restore {
        key: MessageKey,
        /// One of those that `codenode message history` lists
        version: u64,
        #[command(flatten)]
        of: In,
    },
    /// Write the messages of a file: all of them, or none if one is wrong
    Import {
        /// Its name ends in .json or .csv
        file: PathBuf,
        /// Delete every message that is not in the file
        #[arg(long)]
        replace: bool,
        /// Only tell what would be done
        #[arg(long)]
        dry_run: bool,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Write all messages to a file
    Export {
        /// Its name ends in .json or .csv [default: standard output, as JSON]
        file: Option<PathBuf>,
        #[command(flatten)]
        of: OfTenant,
    },
}

#[derive(clap::Args)]
struct Place {
    key: MessageKey,
    #[command(flatten)]
    of: In,
}

#[derive(clap::Args)]
struct In {
    /// The language of the text, such as hi or pt-BR [default: the text for every language without one of its own]
    #[arg(long, value_name = "TAG")]
    language: Option<Language>,
    #[command(flatten)]
    of: OfTenant,
}

#[derive(Deserialize)]
struct Listed {
    messages: Vec<Value>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    key: MessageKey,
    language: Option<Language>,
    text: String,
    version: u64,
    changed_at: Timestamp,
    changed_by: String,
}

#[derive(Deserialize)]
struct History {
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
    at: Timestamp,
    by: String,
    action: MessageAction,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Imported {
    made: u64,
    changed: u64,
    unchanged: u64,
    deleted: u64,
}

impl Message {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List { prefix, language, of } => list(&prefix, language.as_ref(), &of.client()?),
            Command::Get { at } => get(&at),
            Command::Set { key, text, description, if_version, of } => set(&key, text, description, if_version, &of),
            Command::Delete { yes, at } => delete(yes, &at),
            Command::History { at } => history(&at),
            Command::Restore { key, version, of } => restore(&key, version, &of),
            Command::Import { file, replace, dry_run, yes, of } => import(&file, replace, dry_run, yes, &of.client()?),
            Command::Export { file, of } => export(file.as_deref(), &of.client()?),
        }
    }
}

impl In {
    /// The path of a message in this language, or of something of it.
    fn path(&self, client: &Client, key: &MessageKey, of: &str) -> anyhow::Result<String> {
        client.of_tenant(&format!(
            "/messages/{key}{of}{}",
            query(self.language.iter().map(|tag| ("language", tag.as_str())))
        ))
    }

    fn named(&self, key: &MessageKey) -> String {
        name(key, self.language.as_ref())
    }
}

fn list(prefix: &str, language: Option<&Language>, client: &Client) -> anyhow::Result<ExitCode> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let language = language.map(|tag| ("language", tag.as_str()));
        let cursor_said = cursor.as_deref().map(|cursor| ("cursor", cursor));
        let parameters = [("limit", "200"), ("prefix", prefix)].into_iter().chain(language).chain(cursor_said);
        let Listed { messages, next } =
            client.get(&client.of_tenant(&format!("/messages{}", query(parameters)))?)?.read()?;
        all.extend(messages);
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    let mut out = anstream::stdout();
    if client.json() {
        writeln!(out, "{}", crate::output::json(&json!({ "messages": all }).to_string()))?;
    } else if all.is_empty() {
        writeln!(out, "no such messages yet: {}", client.command("message set KEY TEXT"))?;
    } else {
        let mut table = Table::new(&["MESSAGE", "VERSION", "CHANGED", "BY", "TEXT"]);
        for message in all {
            let Told { key, language, text, version, changed_at, changed_by } = serde_json::from_value(message)?;
            table.row([name(&key, language.as_ref()), version.to_string(), moment(changed_at), changed_by, text]);
        }
        table.write(&mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn get(Place { key, of }: &Place) -> anyhow::Result<ExitCode> {
    let client = of.of.client()?;
    let answer = client.get(&of.path(&client, key, "")?)?;
    if client.json() {
        answer.show(&client, |_, _: Told| Ok(()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Told { text, .. } = answer.read()?;
    show(&text)
}

fn set(
    key: &MessageKey,
    text: Option<String>,
    description: Option<String>,
    if_version: Option<u64>,
    of: &In,
) -> anyhow::Result<ExitCode> {
    let client = of.of.client()?;
    let text = text.map_or_else(read_input, Ok)?;
    let (path, wanted) = (of.path(&client, key, "")?, json!({ "text": text, "description": description }));
    let answer = match if_version {
        Some(seen) => client.put(&path, &wanted, seen)?,
        None => client.replace(&path, &wanted)?,
    };
    answer.show(&client, |out, told: Told| writeln!(out, "{} is at version {}", of.named(key), told.version))?;
    Ok(ExitCode::SUCCESS)
}

fn delete(yes: bool, Place { key, of }: &Place) -> anyhow::Result<ExitCode> {
    let client = of.of.client()?;
    let path = of.path(&client, key, "")?;
    confirm(&format!("delete the message {}", of.named(key)), yes)?;
    client.delete(&path)?;
    client.deleted("message", &of.named(key))
}

fn history(Place { key, of }: &Place) -> anyhow::Result<ExitCode> {
    let client = of.of.client()?;
    let page = if of.language.is_some() { "&limit=200" } else { "?limit=200" };
    let path = format!("{}{page}", of.path(&client, key, "/history")?);
    client.get(&path)?.show(&client, |out, History { versions }| {
        let mut table = Table::new(&["VERSION", "AT", "BY", "ACTION", "TEXT"]);
        for Version { version, at, by, action, text } in versions {
            table.row([version.to_string(), moment(at), by, action.to_string(), text.unwrap_or_default()]);
        }
        table.write(out)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn restore(key: &MessageKey, version: u64, of: &In) -> anyhow::Result<ExitCode> {
    let client = of.of.client()?;
    let answer = client.create(&of.path(&client, key, "/restore")?, &json!({ "version": version }))?;
    answer.show(&client, |out, told: Told| {
        writeln!(out, "{} is at version {}, with the text of version {version}", of.named(key), told.version)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn import(file: &Path, replace: bool, dry_run: bool, yes: bool, client: &Client) -> anyhow::Result<ExitCode> {
    let (format, bytes) = (format_of(file)?, read_file(file)?);
    let ask = |dry_run: bool| {
        let said = [("replace", replace), ("dry_run", dry_run)];
        let parameters = said.into_iter().filter(|(_, is_said)| *is_said).map(|(name, _)| (name, "true"));
        let path = client.of_tenant(&format!("/message-file{}", query(parameters)))?;
        client
            .put_file(&path, format.media_type(), &bytes)
            .with_context(|| format!("{} is not imported", file.display()))
    };
    if replace && !dry_run && !yes {
        let Imported { deleted, .. } = ask(true)?.read()?;
        if deleted > 0 {
            confirm(&format!("delete the messages that are not in {}, {deleted} of them", file.display()), yes)?;
        }
    }
    ask(dry_run)?.show(client, |out, Imported { made, changed, unchanged, deleted }| {
        let would = if dry_run { "would be " } else { "" };
        writeln!(out, "{would}made {made}, changed {changed}, deleted {deleted}; {unchanged} are so already")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn export(file: Option<&Path>, client: &Client) -> anyhow::Result<ExitCode> {
    let format = file.map_or(Ok(MessageFormat::Json), format_of)?;
    let answer = client.get(&client.of_tenant(&format!("/message-file?format={}", format.ending()))?)?;
    let Some(file) = file else { return show(answer.text()) };
    fs::write(file, answer.text()).with_context(|| format!("cannot write {}", file.display()))?;
    let mut out = anstream::stdout();
    if client.json() {
        writeln!(out, "{}", json!({ "exported": file }))?;
    } else {
        writeln!(out, "the messages are in {}", file.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How many messages of a file a tenant does not have.
///
/// # Errors
/// If there is no such file, or the server would not take it.
pub(crate) fn count_missing(file: &Path, client: &Client) -> anyhow::Result<u64> {
    let (path, bytes) = (client.of_tenant("/message-file?dry_run=true")?, read_file(file)?);
    let Imported { made, .. } = client.put_file(&path, format_of(file)?.media_type(), &bytes)?.read()?;
    Ok(made)
}

/// What a file of messages is, by its name.
///
/// # Errors
/// If its name does not tell.
pub(crate) fn format_of(file: &Path) -> anyhow::Result<MessageFormat> {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let formats = [MessageFormat::Json, MessageFormat::Csv];
    let format = formats.into_iter().find(|format| format.ending() == ending);
    format.with_context(|| format!("{} is of no known form: its name must end in .json or .csv", file.display()))
}

/// Reads a file of messages.
///
/// # Errors
/// If there is none, or it is too large.
pub(crate) fn read_file(file: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    if bytes.len() > MAX_MESSAGE_FILE_BYTES {
        bail!("{} is larger than {} MiB", file.display(), MAX_MESSAGE_FILE_BYTES >> 20);
    }
    Ok(bytes)
}

fn read_input() -> anyhow::Result<String> {
    let input = std::io::stdin();
    ensure!(!input.is_terminal(), "give the text behind the key, or on standard input");
    let mut text = String::new();
    input.lock().take(MAX_INPUT_BYTES).read_to_string(&mut text).context("cannot read the text from standard input")?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(text.to_owned())
}

/// As it is, but for a terminal, which would obey it.
fn show(text: &str) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    if out.is_terminal() {
        writeln!(out, "{}", printable(text))?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn name(key: &MessageKey, language: Option<&Language>) -> String {
    one_line(&language.map_or_else(|| key.to_string(), |language| format!("{key}/{language}")))
}

/// `?a=b&c=d`, or nothing.
fn query<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
    if query.is_empty() { query } else { format!("?{query}") }
}
