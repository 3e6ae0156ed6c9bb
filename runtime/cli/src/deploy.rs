use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};
use model::{ConfigKey, ConfigOverrides, ConfigValue, Grant, NodeId, OnBreak, Overrides, RevisionNumber, Settings};
use sandbox::MAX_ARTIFACT_BYTES;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::given::Given;
use crate::output::one_line;
use crate::project::Project;
use crate::promote::serves;
use crate::remote::{Answer, Client, Node, OfTenant, Problem, Trial, short};
use crate::try_out::{event, test};
use crate::{config, event, local, output};

/// How often the bar moves while the server compiles.
const TICK: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub(crate) struct Deploy {
    /// The compiled handler (.wasm), or its source in Python (.py), JavaScript (.js) or TypeScript (.ts) [default: what the project in this folder
    /// builds, with its grants and limits]
    artifact: Option<PathBuf>,
    /// The node that will run it [default: the project's name]
    #[arg(long, value_name = "ID")]
    node: Option<NodeId>,
    /// Make the node if there is none
    #[arg(long)]
    create: bool,
    /// Why there is this revision
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    note: String,
    #[command(flatten)]
    settings: Flags,
    /// Test the revision on this event first, and promote it only if it replies: a file, or `-` for standard input
    #[arg(long, short, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Only make the revision; what is live goes on serving
    #[arg(long)]
    no_promote: bool,
    #[command(flatten)]
    of: OfTenant,
}

/// What the revision runs under. What is not said is the server's default, not what the revision before had.
#[derive(clap::Args)]
struct Flags {
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
    grants: Vec<Grant>,
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

/// What the server has said so far, step by step.
#[derive(Default)]
struct Steps {
    uploaded: Option<Answer>,
    revision: Option<Answer>,
    diff: Option<Answer>,
    test: Option<Answer>,
    node: Option<Answer>,
}

#[derive(Deserialize)]
struct Uploaded {
    artifact: String,
    bytes: u64,
    is_new: bool,
    #[serde(default)]
    needs: Vec<String>,
}

#[derive(Deserialize)]
struct Made {
    number: RevisionNumber,
}

#[derive(Deserialize)]
struct Diff {
    from: u32,
    same_artifact: bool,
    imports_added: Vec<String>,
    imports_removed: Vec<String>,
    #[serde(default)]
    grants_added: Vec<String>,
    #[serde(default)]
    grants_removed: Vec<String>,
    settings_from: Value,
    settings_to: Value,
}

impl Deploy {
    /// Exit code 0 once the revision is made, and serves unless that was not wanted; 1 if the artifact is refused, or the event breaks it.
    pub(crate) fn run(mut self) -> anyhow::Result<ExitCode> {
        let artifact = match self.artifact.take() {
            Some(file) => read_artifact(&file)?,
            None => self.built()?,
        };
        let settings = self.settings.settings()?;
        let event = self.event.as_deref().map(|path| event(event::read(path)?)).transpose()?;
        let client = self.of.client()?;
        let mut out = anstream::stdout();
        let mut steps = Steps::default();
        let done =
            self.steps(&client, settings, event.as_deref(), &artifact, &mut steps, &mut person(&client, &mut out))?;
        if client.json() {
            writeln!(out, "{}", steps.json())?;
        }
        Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The artifact of the project in this folder, whose name, grants and limits hold where no flag says another.
    fn built(&mut self) -> anyhow::Result<Vec<u8>> {
        let project = Project::open(Path::new("."))?;
        let built = local::runtime()?.block_on(project.build())?;
        let Given { grants, .. } = project.given();
        self.settings.grants.extend(grants);
        self.settings.inherited = project.manifest.overrides().clone();
        self.node.get_or_insert(project.manifest.name);
        must_be_uploadable(built.artifact, &built.path)
    }

    fn id(&self) -> anyhow::Result<&NodeId> {
        self.node.as_ref().context("say with --node which node will run it")
    }

    /// Whether all went well; otherwise the revision broke on the event, and is not promoted.
    fn steps(
        &self,
        client: &Client,
        settings: Settings,
        event: Option<&RawValue>,
        artifact: &[u8],
        steps: &mut Steps,
        mut out: &mut dyn Write,
    ) -> anyhow::Result<bool> {
        let before = self.node(client)?;
        let uploaded = steps.uploaded.insert(upload(client, self.id()?, artifact)?).read::<Uploaded>()?;
        told_upload(out, &uploaded)?;
        self.settings.warn_of_missing_grants(&uploaded.needs);

        let wanted = json!({ "artifact": uploaded.artifact, "settings": settings, "note": self.note });
        let made = client.create(&client.of_node(self.id()?, "/revisions")?, &wanted)?;
        let number = steps.revision.insert(made).read::<Made>()?.number;
        writeln!(out, "revision  {number} of {}", self.id()?)?;
        if let Some(live) = before.live {
            let path = client.of_node(self.id()?, &format!("/revisions/{number}/diff?against={live}"))?;
            told_diff(out, &steps.diff.insert(client.get(&path)?).read()?)?;
        }

        if let Some(event) = event {
            let trial = Trial::of(steps.test.insert(test(client, self.id()?, event, Some(number))?))?;
            writeln!(out, "\ntest on the event")?;
            output::run(&mut out, &trial.run, &trial.limits)?;
            writeln!(out)?;
            if !trial.is_reply() {
                let live = before.live.map_or_else(|| "nothing".to_owned(), |live| format!("revision {live}"));
                writeln!(out, "revision {number} breaks on this event, so it is not promoted; {live} goes on serving")?;
                return Ok(false);
            }
        }
        if self.no_promote {
            writeln!(out, "it can serve: {}", client.command(&format!("promote {} {number}", self.id()?)))?;
            return Ok(true);
        }
        let path = client.of_node(self.id()?, "/promote")?;
        let promoted = client.post_patiently(
            &path,
            &json!({ "revision": number, "grants": self.settings.grants }),
            Some(before.version),
        )?;
        let after = steps.node.insert(promoted).read::<Node>()?;
        serves(out, client, &after)?;
        self.warn_of_a_closed_door(client, &after)?;
        Ok(true)
    }

    /// The node as it is before, made if it may be.
    fn node(&self, client: &Client) -> anyhow::Result<Node> {
        let answer = match client.get(&client.of_node(self.id()?, "")?) {
            Err(error) if is_missing(&error) && self.create => {
                client.create(&client.of_tenant("/nodes")?, &json!({ "id": self.id()? }))?
            }
            Err(error) if is_missing(&error) => return Err(error.context("--create makes the node")),
            answer => answer?,
        };
        answer.read()
    }

    /// A node that nobody can reach looks deployed and is not.
    fn warn_of_a_closed_door(&self, client: &Client, node: &Node) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Listed {
            secrets: Vec<Value>,
        }
        if node.door.allow_unsigned {
            return Ok(());
        }
        let listed: Listed = client.get(&client.of_node(self.id()?, "/secrets")?)?.read()?;
        if listed.secrets.is_empty() {
            let set = client.command(&format!("secret set {}", self.id()?));
            eprintln!("warning: the node has no secret yet, so it takes no events: {set}");
        }
        Ok(())
    }
}

impl Flags {
    /// Code that can call out and may not looks deployed and is not.
    fn warn_of_missing_grants(&self, needs: &[String]) {
        for family in needs {
            if !self.grants.iter().any(|grant| grant.family().to_string() == *family) {
                let family = one_line(family);
                eprintln!(
                    "warning: the code can use {family}, of which nothing is granted: --grant {family}:… says what it may reach"
                );
            }
        }
    }

    fn settings(&self) -> anyhow::Result<Settings> {
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

impl Steps {
    /// Everything as the server said it; `null` for what was not asked.
    fn json(&self) -> String {
        let Self { uploaded, revision, diff, test, node } = self;
        let part = |answer: &Option<Answer>| answer.as_ref().map_or_else(|| "null".to_owned(), Answer::json);
        let [uploaded, revision, diff, test, node] = [uploaded, revision, diff, test, node].map(part);
        format!(r#"{{"artifact":{uploaded},"revision":{revision},"diff":{diff},"test":{test},"node":{node}}}"#)
    }
}

/// Where words for a person go, if one reads.
fn person<'a>(client: &Client, out: &'a mut impl Write) -> Box<dyn Write + 'a> {
    if client.json() { Box::new(io::sink()) } else { Box::new(out) }
}

fn limit(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value, such as memory=128MiB")?;
    let value = value.trim();
    Ok((name.trim().to_owned(), value.parse::<u64>().map_or_else(|_| Value::from(value), Value::from)))
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Problem>().is_some_and(|problem| problem.status() == 404)
}

fn read_artifact(path: &Path) -> anyhow::Result<Vec<u8>> {
    must_be_uploadable(local::read_artifact(path)?, path)
}

fn must_be_uploadable(artifact: Vec<u8>, path: &Path) -> anyhow::Result<Vec<u8>> {
    if artifact.len() > MAX_ARTIFACT_BYTES {
        bail!("{} is larger than {} MiB, which no server takes", path.display(), MAX_ARTIFACT_BYTES >> 20);
    }
    Ok(artifact)
}

/// Shows a bar on a terminal: first what has gone, then that the server compiles.
fn upload(client: &Client, node: &NodeId, artifact: &[u8]) -> anyhow::Result<Answer> {
    let length = artifact.len() as u64;
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {bar:30} {bytes} of {total_bytes}") {
        bar.set_style(style);
    }
    bar.set_message("uploading");
    bar.enable_steady_tick(TICK);
    let path = client.of_tenant(&format!("/artifacts?node={node}"))?;
    let answer = client.upload(&path, Watched { rest: artifact, bar: &bar }, length);
    bar.finish_and_clear();
    answer
}

/// Bytes that move a bar as they go.
struct Watched<'a> {
    rest: &'a [u8],
    bar: &'a ProgressBar,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.rest.read(buffer)?;
        self.bar.inc(read as u64);
        if self.rest.is_empty() {
            self.bar.set_message("the server compiles");
        }
        Ok(read)
    }
}

fn told_upload(out: &mut dyn Write, uploaded: &Uploaded) -> io::Result<()> {
    let Uploaded { artifact, bytes, is_new, needs: _ } = uploaded;
    let known = if *is_new { "" } else { ", which the server had already" };
    writeln!(out, "artifact  {} of {}{known}", one_line(&short(artifact)), ByteSize(*bytes))
}

/// What the new revision has that the live one has not.
fn told_diff(out: &mut dyn Write, diff: &Diff) -> io::Result<()> {
    let mut lines = Vec::new();
    if !diff.same_artifact {
        lines.push("another artifact".to_owned());
    }
    lines.extend(diff.imports_added.iter().map(|import| format!("+ import {import}")));
    lines.extend(diff.imports_removed.iter().map(|import| format!("- import {import}")));
    lines.extend(diff.grants_added.iter().map(|grant| format!("+ grant {grant}")));
    lines.extend(diff.grants_removed.iter().map(|grant| format!("- grant {grant}")));
    let (mut from, mut to) = (Vec::new(), Vec::new());
    flatten("", &diff.settings_from, &mut from);
    flatten("", &diff.settings_to, &mut to);
    // Told already, one by one.
    [&mut from, &mut to].into_iter().for_each(|settings| settings.retain(|(name, _)| name != "grants"));
    lines.extend(from.iter().filter(|setting| !to.contains(setting)).map(|(name, value)| format!("- {name} {value}")));
    lines.extend(to.iter().filter(|setting| !from.contains(setting)).map(|(name, value)| format!("+ {name} {value}")));
    if lines.is_empty() {
        lines.push("the same".to_owned());
    }
    writeln!(out, "against {}, which is live:", diff.from)?;
    lines.iter().try_for_each(|line| writeln!(out, "  {}", one_line(line)))
}

/// Settings as dotted names and values, whatever a server of tomorrow may add.
fn flatten(name: &str, value: &Value, settings: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(field, value)| {
            let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
            flatten(&name, value, settings);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            settings.push((name.to_owned(), value.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_diff_names_what_came_and_what_went() {
        let diff = Diff {
            from: 3,
            same_artifact: false,
            imports_added: vec!["wasi:random/random\u{1b}[2J".to_owned()],
            imports_removed: Vec::new(),
            grants_added: vec!["http:https://a.example".to_owned()],
            grants_removed: Vec::new(),
            settings_from: json!({ "limits": {}, "end_node": true, "on_break": "fail" }),
            settings_to: json!({ "limits": { "memory": 1 }, "end_node": false, "on_break": "fail" }),
        };
        let mut out = Vec::new();
        told_diff(&mut out, &diff).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        against 3, which is live:
          another artifact
          + import wasi:random/random\u{1b}[2J
          + grant http:https://a.example
          - end_node true
          + end_node false
          + limits.memory 1
        ");
    }
}
