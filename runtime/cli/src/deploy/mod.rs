//! From an artifact or a project to a revision that serves, step by step; nothing that would be in vain is begun.

mod diff;
mod elsewhere;
mod flags;
mod upload;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use model::{NodeId, RevisionNumber, Settings};
use sandbox::MAX_ARTIFACT_BYTES;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use flags::Flags;
use upload::{Uploaded, told_upload, upload};

use crate::project::{self, Project};
use crate::promote::serves;
use crate::remote::{Answer, Client, Node, OfTenant, Problem, Trial};
use crate::try_out::{event, on_server};
use crate::{event, local, output};

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

/// What is deployed.
enum Subject {
    File(Vec<u8>),
    Project(Box<Project>),
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
struct Made {
    number: RevisionNumber,
}

impl Deploy {
    /// Exit code 0 once the revision is made, and serves unless that was not wanted; 1 if the artifact is refused, or the event breaks it.
    pub(crate) fn run(mut self) -> anyhow::Result<ExitCode> {
        let subject = self.subject()?;
        let settings = self.settings.settings()?;
        let event = self.event.as_deref().map(|path| event(event::read(path)?)).transpose()?;
        let client = self.of.client()?;
        // A build takes long, and would be in vain without a node.
        let has_node = self.has_node(&client)?;
        let artifact = subject.artifact()?;
        match &subject {
            Subject::File(_) => {}
            Subject::Project(project) => {
                elsewhere::warn(&client, self.id()?, has_node, &project.given(), &settings.config)?;
            }
        }
        let mut out = anstream::stdout();
        let mut steps = Steps::default();
        let done =
            self.steps(&client, &settings, event.as_deref(), &artifact, &mut steps, &mut person(&client, &mut out))?;
        if client.json() {
            writeln!(out, "{}", steps.json())?;
        }
        Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The file that was named or, where none was, the project in this folder, whose name, grants and limits hold where no flag says another.
    fn subject(&mut self) -> anyhow::Result<Subject> {
        if let Some(file) = &self.artifact {
            return Ok(Subject::File(must_be_uploadable(local::read_artifact(file)?, file)?));
        }
        project::end_with_us()?;
        let project = Project::open(Path::new("."))?;
        self.settings.take_over(&project);
        self.node.get_or_insert_with(|| project.manifest.name.clone());
        Ok(Subject::Project(Box::new(project)))
    }

    /// Whether there is the node; if not, it is made when there is something for it.
    fn has_node(&self, client: &Client) -> anyhow::Result<bool> {
        match client.get(&client.of_node(self.id()?, "")?) {
            Err(error) if is_missing(&error) && self.create => {
                // Nobody makes the tenant by the way.
                client.get(&client.of_tenant("")?)?;
                Ok(false)
            }
            Err(error) if is_missing(&error) => Err(error.context("--create makes the node")),
            answer => answer.map(|_| true),
        }
    }

    fn id(&self) -> anyhow::Result<&NodeId> {
        self.node.as_ref().context("say with --node which node will run it")
    }

    /// Whether all went well; otherwise the revision broke on the event, and is not promoted.
    fn steps(
        &self,
        client: &Client,
        settings: &Settings,
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
            diff::told(out, &steps.diff.insert(client.get(&path)?).read()?)?;
        }

        if let Some(event) = event {
            let trial = Trial::of(steps.test.insert(on_server(client, self.id()?, event, Some(number))?))?;
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

impl Subject {
    fn artifact(&self) -> anyhow::Result<Cow<'_, [u8]>> {
        match self {
            Self::File(artifact) => Ok(artifact.into()),
            Self::Project(project) => {
                let built = local::runtime()?.block_on(project.build())?;
                Ok(must_be_uploadable(built.artifact, &built.path)?.into())
            }
        }
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

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Problem>().is_some_and(|problem| problem.status() == 404)
}

fn must_be_uploadable(artifact: Vec<u8>, path: &Path) -> anyhow::Result<Vec<u8>> {
    if artifact.len() > MAX_ARTIFACT_BYTES {
        bail!("{} is larger than {} MiB, which no server takes", path.display(), MAX_ARTIFACT_BYTES >> 20);
    }
    Ok(artifact)
}
