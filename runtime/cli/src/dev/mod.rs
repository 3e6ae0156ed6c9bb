mod host;
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use host::Host;
use watch::Watch;

use crate::given::Given;
use crate::project::{self, Place, Project, Recipe, Session};
use crate::test::{self, Tested};
use crate::{local, output};

#[derive(clap::Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    place: Place,
    /// Where the webhook listens on this machine; 0 takes any port that is free
    #[arg(long, default_value_t = 8080)]
    port: u16,
    #[command(flatten)]
    folders: local::Folders,
}

/// What one round has come to.
struct Round {
    given: Option<Given>,
    /// What a command of the author's makes: no change of theirs.
    made: Option<PathBuf>,
}

impl Dev {
    /// Builds and runs a project at every change, and serves it, until somebody ends that.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(self.until_it_is_ended())?;
        Ok(ExitCode::SUCCESS)
    }

    async fn until_it_is_ended(self) -> anyhow::Result<()> {
        let project = Project::open(&self.place.folder)?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
        let mut host = Host::new(&project, &self.folders, self.port)?;
        host.offer_nothing(&project)?;
        let server = host.start().await?;
        let mut out = anstream::stdout();
        let webhook = host::webhook(server.front_door(), &project.manifest.name);
        writeln!(out, "webhook  {webhook}")?;
        writeln!(out, "secret   {}", host.secret())?;
        let event = project::cases(&project).ok().and_then(|cases| Some(cases.first()?.path()));
        let event = event.unwrap_or_else(|| PathBuf::from("EVENT.json"));
        writeln!(out, "try it   codenode send {webhook} --secret {} --event {}", host.secret(), event.display())?;

        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.run_until(stop.clone().cancelled_owned()));
        let ended = tokio::select! {
            biased;
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            ended = self.rounds(&host) => ended,
        };
        stop.cancel();
        serving.await.context("the server did not end well")??;
        ended
    }

    /// One after the other, for as long as nobody ends it.
    async fn rounds(&self, host: &Host) -> anyhow::Result<()> {
        let sandbox = local::sandbox(self.folders.clone())?;
        let mut watch = Watch::new(&self.place.folder)?;
        let mut out = anstream::stdout();
        loop {
            let mut made = None;
            match self.round(host, &sandbox, &mut out).await {
                Ok(round) => {
                    made = round.made;
                    if let Some(given) = round.given {
                        set(host, &given);
                    }
                }
                Err(error) => anstream::eprintln!("error: {error:#}"),
            }
            let changed = watch.changed(made.as_deref()).await;
            writeln!(out, "\n{} changed", output::one_line(&changed.to_string_lossy()))?;
        }
    }

    /// Builds the project as it is now, runs its events, and lets it serve.
    async fn round(&self, host: &Host, sandbox: &sandbox::Sandbox, out: &mut impl Write) -> anyhow::Result<Round> {
        let project = Project::open(&self.place.folder)?;
        let made = match &project.recipe {
            Recipe::Source(..) | Recipe::Rust | Recipe::PythonComponent | Recipe::JavaScriptComponent(_) => None,
            Recipe::Command(build) => Some(build.artifact.clone()),
        };
        let round = |given| Round { given, made: made.clone() };
        let built = match project.build().await {
            Ok(built) => built,
            Err(error) => {
                anstream::eprintln!("error: {error:#}");
                return Ok(round(None));
            }
        };
        let session = match Session::new(&project, sandbox, &built, Given::default()).await {
            Ok(session) => session,
            Err(error) => {
                anstream::eprintln!("error: {error:#}");
                return Ok(round(None));
            }
        };
        host.offer(&project, &built)?;
        if let Err(error) = events(&project, &session, out).await {
            anstream::eprintln!("error: {error:#}");
        }
        Ok(round(Some(project.given())))
    }
}

/// Runs every event, and shows what the bot says.
async fn events(project: &Project, session: &Session<'_>, out: &mut impl Write) -> anyhow::Result<()> {
    let (mut all, mut failed) = (0, 0);
    for case in project::cases(project)? {
        let tested: Tested = test::test(session, case, false).await?;
        test::show(out, &tested)?;
        output::said(out, &tested.run)?;
        all += 1;
        failed += usize::from(!tested.passed());
    }
    writeln!(out, "{}", test::summary(all, failed, ""))?;
    Ok(())
}

/// The server answers on other threads than this one.
fn set(host: &Host, given: &Given) {
    if let Err(error) = tokio::task::block_in_place(|| host.set(given)) {
        anstream::eprintln!("error: the webhook does without the connections or the messages: {error:#}");
    }
}
