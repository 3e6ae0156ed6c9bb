use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bytesize::ByteSize;
use ipnet::IpNet;
use model::{
    Bucket, ConfigKey, ConfigOverrides, ConnectionName, ConnectionSettings, Event, Family, Grant, Limits, Outcome,
    Overrides, Quota, TenantId,
};
use sandbox::{Grants, PrepareError};
use serde::Deserialize;
use serde_json::json;
use server::config::{Egress, Tenant};
use server::egress::Gateway;
use server::{ConfigSecret, Own, Reach};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::event::EventSource;
use crate::{local, message, output};

#[derive(clap::Args)]
pub(crate) struct Run {
    /// The compiled handler (.wasm), or its source in Python (.py) or JavaScript (.js)
    artifact: PathBuf,
    #[command(flatten)]
    event: EventSource,
    /// Print the outcome, usage and log as one JSON object
    #[arg(long)]
    json: bool,
    /// Another wall time, such as `5s`
    #[arg(long, value_parser = humantime::parse_duration)]
    wall_time: Option<Duration>,
    /// Another CPU time, such as `200ms`
    #[arg(long, value_parser = humantime::parse_duration)]
    cpu_time: Option<Duration>,
    /// Another memory limit, such as `128MiB`
    #[arg(long)]
    memory: Option<ByteSize>,
    /// What it may reach, such as `http:api.example.com`, `kv:node` or `state:user`; may be said several times
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<Grant>,
    /// A private network that it may reach besides the public Internet, such as `127.0.0.0/8`; may be said several times
    #[arg(long = "private-network", value_name = "NETWORK")]
    private_networks: Vec<IpNet>,
    /// Connections that it may be granted: a TOML file with a table for each, of what the server's API takes, such as
    /// `crm = { settings = { origin = "https://api.example.com", credential = { kind = "bearer" } }, secret = "…" }`
    #[arg(long, value_name = "FILE")]
    connections: Option<PathBuf>,
    /// What is set for the handler: a TOML file with the tables `config` and `config_secrets`, as a node of codenode.toml has them
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where entries of the key-value store are kept [default: nowhere, so that each run begins with none]
    #[arg(long, value_name = "FOLDER")]
    entries: Option<PathBuf>,
    /// What messages say, for the grant `kv:messages`: a file as `codenode message export` writes it [default: as in --entries]
    #[arg(long, value_name = "FILE")]
    messages: Option<PathBuf>,
    /// Where the runners of sources are [default: a folder `runners` beside this program]
    #[arg(long, env = "CODENODE_RUNNERS", value_name = "FOLDER")]
    runners: Option<PathBuf>,
    /// Where compiled code is kept [default: codenode in the user's cache folder]
    #[arg(long, env = "CODENODE_CACHE_DIR", value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
}

impl Run {
    /// Exit code 0 for a reply, 1 for a bot break.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let limits = self.limits()?;
        self.must_have_what_is_granted()?;
        let artifact = local::read_artifact(&self.artifact)?;
        let event = Event::parse(self.event.read()?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let fresh = tempfile::tempdir()?;
        let grants = runtime.block_on(self.granted(self.entries.as_deref().unwrap_or(fresh.path())))?;
        let sandbox = local::sandbox(self.cache_dir, self.runners)?;
        let prepared = runtime.block_on(sandbox.prepare(&artifact)).map_err(|error| match error {
            PrepareError::Refused(problems) => {
                anyhow!("codenode refuses {}:\n  - it {}", self.artifact.display(), problems.join("\n  - it "))
            }
            PrepareError::Busy | PrepareError::NoRunner(..) | PrepareError::Host(_) => error.into(),
        })?;
        let mut run = runtime.block_on(sandbox.run(&prepared, &event, &limits, &grants, &CancellationToken::new()));
        grants.redact(&mut run);
        let mut out = anstream::stdout();
        if self.json {
            let json = json!({
                "outcome": run.outcome,
                "usage": run.usage,
                "limits": limits,
                "log": run.log,
                "http_calls": run.http_calls,
            });
            writeln!(out, "{json:#}")?;
        } else {
            output::run(&mut out, &run, &limits)?;
        }
        Ok(match run.outcome {
            Outcome::Reply(_) => ExitCode::SUCCESS,
            Outcome::BotBreak(_) => ExitCode::FAILURE,
        })
    }

    /// Requests leave this machine as they would leave a server, and entries are kept as a server keeps them.
    async fn granted(&self, entries: &Path) -> anyhow::Result<Grants> {
        if self.messages.is_some() && !self.grants.iter().any(is_of_messages) {
            bail!("nothing reads the messages: say --grant kv:messages too");
        }
        if self.grants.is_empty() {
            return Ok(Grants::default());
        }
        let gateway = Gateway::open(&Egress::default())?;
        let tenant: TenantId = "local".parse()?;
        let networks = Tenant { private_networks: self.private_networks.clone(), ..Tenant::default() };
        gateway.open_networks(&[(tenant.clone(), networks)].into());
        let reach = Reach::with_entries_in(entries, gateway).await?;
        self.connections.as_deref().map_or(Ok(()), |file| connect(&reach, &tenant, file))?;
        if let Some(file) = &self.messages {
            let texts = message::format_of(file)?.read(&message::read_file(file)?);
            let texts = texts.with_context(|| format!("{} cannot be read", file.display()))?;
            reach.set_messages(&tenant, texts).await?;
        }
        let own = self.config.as_deref().map_or_else(|| Ok(Own::default()), own)?;
        Ok(reach.grants(&tenant, &"LOCAL".parse()?, &Quota::DEFAULT, &self.grants, own))
    }

    /// Without what is behind them, some grants would do nothing, and so would a configuration that nobody reads.
    fn must_have_what_is_granted(&self) -> anyhow::Result<()> {
        let is_configured = |grant: &Grant| matches!(grant.family(), Family::Config);
        if self.config.is_some() && !self.grants.iter().any(is_configured) {
            bail!("nothing reads the configuration: say --grant config or --grant secret:KEY too");
        }
        for grant in &self.grants {
            match grant {
                Grant::Connection(_) if self.connections.is_none() => {
                    bail!("{grant} takes --connections FILE, which says where it leads and what its secret is");
                }
                Grant::Secret(_) if self.config.is_none() => {
                    bail!("{grant} takes --config FILE, which says what it is")
                }
                Grant::Http(_)
                | Grant::Connection(_)
                | Grant::KeyValue(_)
                | Grant::State(_)
                | Grant::Config
                | Grant::Secret(_) => {}
            }
        }
        Ok(())
    }

    fn limits(&self) -> anyhow::Result<Limits> {
        let overrides = Overrides {
            wall_time: self.wall_time,
            cpu_time: self.cpu_time,
            memory: self.memory,
            ..Overrides::default()
        };
        Limits::DEFAULT
            .with(&overrides)
            .map_err(|errors| anyhow!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
    }
}

const fn is_of_messages(grant: &Grant) -> bool {
    match grant {
        Grant::Http(_) | Grant::Connection(_) | Grant::State(_) | Grant::Config | Grant::Secret(_) => false,
        Grant::KeyValue(grant) => matches!(grant.bucket, Bucket::Messages),
    }
}

/// Connections by their names, as the API takes them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    settings: ConnectionSettings,
    secret: String,
}

fn connect(reach: &Reach, tenant: &TenantId, file: &Path) -> anyhow::Result<()> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let wanted: BTreeMap<ConnectionName, Wanted> =
        toml::from_str(&text).map_err(|error| anyhow!("{shown} does not describe connections: {}", error.message()))?;
    let connections = wanted.into_iter().map(|(name, Wanted { settings, secret })| (name, settings, secret));
    reach.connect(tenant, connections).with_context(|| format!("{shown} cannot be used"))
}

/// What is set for a handler, by its keys.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Configured {
    config: ConfigOverrides,
    config_secrets: BTreeMap<ConfigKey, Zeroizing<String>>,
}

fn own(file: &Path) -> anyhow::Result<Own> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let Configured { config, config_secrets } =
        toml::from_str(&text).map_err(|error| anyhow!("{shown} is no configuration: {}", error.message()))?;
    let secret = |(key, text): (ConfigKey, Zeroizing<String>)| {
        let secret = ConfigSecret::new(key.clone(), text).map_err(|why| anyhow!("{shown}: {key}: {why}"))?;
        Ok((key, secret))
    };
    Ok(Own { values: config, secrets: config_secrets.into_iter().map(secret).collect::<anyhow::Result<_>>()? })
}
