use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use model::{ClientAuth, ConnectionName, ConnectionSettings, Credential, Origin, Scheme};
use serde::Deserialize;
use serde_json::json;

use crate::output::printable;
use crate::remote::{self, Answer, Client, OfTenant, Problem, Table, confirm, moment};

#[derive(clap::Args)]
pub(crate) struct Connection {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a connection or change it, with its secret from standard input or typed unseen
    Set {
        name: ConnectionName,
        #[command(flatten)]
        settings: Box<Settings>,
        /// Keep the secret that it has: possible as long as origin and credential stay as they are
        #[arg(long)]
        keep_secret: bool,
        #[command(flatten)]
        of: OfTenant,
    },
    /// List the connections of a tenant
    List {
        #[command(flatten)]
        of: OfTenant,
    },
    /// Ask the service for the test's path, and say what comes of it
    Test {
        name: ConnectionName,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Let requests go out by a connection again
    Enable {
        name: ConnectionName,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Let no request go out by a connection until it is enabled again
    Disable {
        name: ConnectionName,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Delete a connection with its secret
    Delete {
        name: ConnectionName,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        of: OfTenant,
    },
}

#[derive(clap::Args)]
struct Settings {
    /// Where it leads, such as `https://api.example.com`
    #[arg(long, value_name = "ORIGIN")]
    origin: Origin,
    #[command(flatten)]
    kind: Kind,
    /// What stands before the secret in the header, such as `Token `
    #[arg(long, requires = "header", value_name = "TEXT")]
    prefix: Option<String>,
    /// Who the client is
    #[arg(long, requires = "oauth2", value_name = "ID")]
    client_id: Option<String>,
    /// What the token shall be good for; may be said several times
    #[arg(long = "scope", requires = "oauth2", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Send the client's id and secret in the body, for services that take them nowhere else
    #[arg(long, requires = "oauth2")]
    client_in_body: bool,
    /// What a test of the connection asks for
    #[arg(long, default_value = "/", value_name = "PATH")]
    test_path: String,
    /// Let no request go out by it yet
    #[arg(long)]
    disabled: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Kind {
    /// An API key in this header, such as `X-Api-Key`
    #[arg(long, value_name = "NAME")]
    header: Option<String>,
    /// An API key in this parameter of the query
    #[arg(long, value_name = "PARAMETER")]
    query: Option<String>,
    /// A token, sent as `Authorization: Bearer`
    #[arg(long)]
    bearer: bool,
    /// A user and a password; the secret is written USER:PASSWORD
    #[arg(long)]
    basic: bool,
    /// OAuth 2.0's client credentials, with tokens from this URL
    #[arg(long, requires = "client_id", value_name = "URL")]
    oauth2: Option<String>,
    /// A signature of the body, as events have one: sha1, sha256 or standard
    #[arg(long, value_name = "SCHEME")]
    signed: Option<Scheme>,
}

#[derive(Deserialize)]
struct Listed {
    connections: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    name: ConnectionName,
    settings: ConnectionSettings,
    version: u64,
    changed_at: Timestamp,
    changed_by: String,
}

#[derive(Deserialize)]
struct Report {
    works: bool,
    status: Option<u16>,
    problem: Option<String>,
    wall_micros: u64,
}

impl Connection {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Set { name, settings, keep_secret, of } => set(&name, *settings, keep_secret, &of.client()?),
            Command::List { of } => list(&of.client()?),
            Command::Test { name, of } => test(&name, &of.client()?),
            Command::Enable { name, of } => enable(&name, true, &of.client()?),
            Command::Disable { name, of } => enable(&name, false, &of.client()?),
            Command::Delete { name, yes, of } => delete(&name, yes, &of.client()?),
        }
    }
}

impl Settings {
    fn read(self) -> ConnectionSettings {
        let Self { origin, kind, prefix, client_id, scopes, client_in_body, test_path, disabled } = self;
        let credential = match kind {
            Kind { header: Some(header), .. } => Credential::Header { header, prefix: prefix.unwrap_or_default() },
            Kind { query: Some(parameter), .. } => Credential::Query { parameter },
            Kind { oauth2: Some(token_url), .. } => Credential::OAuth2 {
                token_url,
                client_id: client_id.unwrap_or_default(),
                scopes,
                client_auth: if client_in_body { ClientAuth::Body } else { ClientAuth::Header },
            },
            Kind { signed: Some(scheme), .. } => Credential::Signed { scheme },
            Kind { basic: true, .. } => Credential::Basic {},
            Kind { .. } => Credential::Bearer {},
        };
        ConnectionSettings { origin, credential, test_path, enabled: !disabled }
    }
}

fn set(name: &ConnectionName, settings: Settings, keep: bool, client: &Client) -> anyhow::Result<ExitCode> {
    let path = path(name, client)?;
    let settings = settings.read();
    if !settings.origin.is_https() {
        anstream::eprintln!("{} is not https: everybody on the way can read the secret", settings.origin);
    }
    let secret = if keep { None } else { Some(remote::secret("the secret")?) };
    let answer = client.replace(&path, &json!({ "settings": settings, "secret": secret }))?;
    show(&answer, client)?;
    if !client.json() {
        anstream::eprintln!("try it: {}", client.command(&format!("connection test {name}")));
    }
    Ok(ExitCode::SUCCESS)
}

fn list(client: &Client) -> anyhow::Result<ExitCode> {
    client.get(&client.of_tenant("/connections")?)?.show(client, |out, listed: Listed| {
        if listed.connections.is_empty() {
            return writeln!(
                out,
                "no connections yet: {}",
                client.command("connection set NAME --origin URL --bearer")
            );
        }
        let mut table = Table::new(&["CONNECTION", "ORIGIN", "CREDENTIAL", "ENABLED", "CHANGED", "BY"]);
        for Told { name, settings, changed_at, changed_by, .. } in listed.connections {
            let ConnectionSettings { origin, credential, enabled, .. } = settings;
            let enabled = if enabled { "yes" } else { "no" };
            let (name, origin, kind) = (name.to_string(), origin.to_string(), credential.kind().to_owned());
            table.row([name, origin, kind, enabled.to_owned(), moment(changed_at), changed_by]);
        }
        table.write(out)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Exit code 1 where it does not work.
fn test(name: &ConnectionName, client: &Client) -> anyhow::Result<ExitCode> {
    let answer = client.change(&format!("{}/test", path(name, client)?), &json!({}))?;
    let report: Report = answer.read()?;
    let works = report.works;
    answer.show(client, |out, Report { status, problem, wall_micros, .. }: Report| {
        let time = humantime::format_duration(Duration::from_millis(wall_micros / 1000));
        match (problem, status) {
            (Some(problem), _) => writeln!(out, "{name} does not work: {} ({time})", printable(&problem)),
            (None, Some(status)) => writeln!(out, "{name} works: {status} in {time}"),
            (None, None) => writeln!(out, "{name} works ({time})"),
        }
    })?;
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Only if nobody else has changed it since it was read.
fn enable(name: &ConnectionName, enabled: bool, client: &Client) -> anyhow::Result<ExitCode> {
    let path = path(name, client)?;
    let Told { settings, version, .. } = client.get(&path)?.read()?;
    let settings = ConnectionSettings { enabled, ..settings };
    let answer = client.put(&path, &json!({ "settings": settings }), version).map_err(|error| {
        match error.downcast_ref::<Problem>() {
            Some(problem) if problem.status() == 412 => error.context("somebody has just changed it: try again"),
            _ => error,
        }
    })?;
    show(&answer, client)?;
    Ok(ExitCode::SUCCESS)
}

fn delete(name: &ConnectionName, yes: bool, client: &Client) -> anyhow::Result<ExitCode> {
    let path = path(name, client)?;
    confirm(&format!("delete the connection {name} with its secret"), yes)?;
    client.delete(&path)?;
    client.deleted("connection", name.as_str())
}

fn show(answer: &Answer, client: &Client) -> anyhow::Result<()> {
    answer.show(client, |out, Told { name, settings, .. }: Told| {
        let state = if settings.enabled { "" } else { ", once it is enabled" };
        writeln!(out, "the connection {name} leads to {}{state}; grant it as connection:{name}", settings.origin)
    })
}

fn path(name: &ConnectionName, client: &Client) -> anyhow::Result<String> {
    client.of_tenant(&format!("/connections/{name}"))
}
