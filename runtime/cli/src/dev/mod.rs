mod host;
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use sandbox::Sandbox;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use host::Host;
use watch::Watch;

use crate::given::Given;
use crate::project::{self, Place, Project, Ready, Recipe};
use crate::{local, output, test};

const NOT_WELL: &str = "the server did not end well";

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
        let mut serving = tokio::spawn(server.run_until(stop.clone().cancelled_owned()));
        let ended = tokio::select! {
            biased;
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            served = &mut serving => {
                served.context(NOT_WELL)??;
                bail!("the server has ended");
            }
            ended = self.rounds(&host) => ended,
        };
        stop.cancel();
        serving.await.context(NOT_WELL)??;
        ended
    }

    /// One after the other, for as long as nobody ends it.
    async fn rounds(&self, host: &Host) -> anyhow::Result<()> {
        let sandbox = local::sandbox(self.folders.clone())?;
        let mut watch = Watch::new(&self.place.folder)?;
        let mut out = anstream::stdout();
        loop {
            match self.round(host, &sandbox, &mut watch, &mut out).await {
                Ok(given) => set(host, &given),
                Err(error) => anstream::eprintln!("error: {error:#}"),
            }
            let changed = watch.changed().await?;
            writeln!(out, "\n{} changed", output::one_line(&changed.to_string_lossy()))?;
        }
    }

    /// Builds the project as it is now, runs its events, and lets it serve. Gives what the handler is given.
    async fn round(
        &self,
        host: &Host,
        sandbox: &Sandbox,
        watch: &mut Watch,
        out: &mut impl Write,
    ) -> anyhow::Result<Given> {
        let project = Project::open(&self.place.folder)?;
        let built = project.build().await;
        let artifact = match &project.recipe {
            Recipe::Command(build) => Some(build.artifact.as_path()),
            Recipe::Source(..) | Recipe::Rust | Recipe::PythonComponent | Recipe::JavaScriptComponent(_) => None,
        };
        if let Some(written) = watch.built(artifact).await {
            anstream::eprintln!(
                "warning: each build changes {}, so it starts no other: only a change of yours does",
                output::one_line(&written.to_string_lossy())
            );
        }
        let built = built?;
        let ready = Ready::new(&project, sandbox, &built, Given::default()).await?;
        host.offer(&project, &built)?;
        if let Err(error) = events(&project, &ready, out).await {
            anstream::eprintln!("error: {error:#}");
        }
        Ok(project.given())
    }
}

/// Runs every event, and shows what the bot says.
async fn events(project: &Project, ready: &Ready<'_>, out: &mut impl Write) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for case in project::cases(project)? {
        let tested = test::test(ready, case, false).await?;
        test::show(out, &tested)?;
        if let Some(run) = &tested.run {
            output::said(out, run)?;
        }
        all.push(tested);
    }
    writeln!(out, "{}", test::summary(&all, ""))?;
    Ok(())
}

/// The server answers on other threads than this one.
fn set(host: &Host, given: &Given) {
    if let Err(error) = tokio::task::block_in_place(|| host.set(given)) {
        anstream::eprintln!("error: the webhook does without the connections or the messages: {error:#}");
    }
}
