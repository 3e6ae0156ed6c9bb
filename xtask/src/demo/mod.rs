//! A guided tour: the example nodes, compiled from source and served, answer signed events; then one of them misbehaves.
//!
//! Everything is done as an operator would do it, with the `codenode` program and its two listeners.

mod scene;
mod server;
mod shop;
mod stage;

use anyhow::bail;

use crate::program::Program;
use crate::steps::Steps;
use crate::{guests, runners, targets};
use scene::{Expected, Scene};
use server::Server;
use stage::Stage;

#[derive(clap::Args)]
pub(crate) struct Demo {
    /// Stop after the tour; the exit code is 0 only if every answer was the expected one
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let codenode = build()?;
        let shop = shop::open()?;
        let stage = Stage::set(codenode, shop)?;
        let mut server = Server::start(&stage)?;
        println!("\n==> the server answers on {}", server.front_door);
        let surprises = tour(&stage, &server)?;
        if surprises > 0 {
            println!("\n{surprises} answers were not the expected ones; the server's log is {}", stage.log().display());
        }
        if !self.once {
            farewell(&stage, &server);
            return server.wait();
        }
        server.stop()?;
        if surprises > 0 {
            bail!("{surprises} answers were not the expected ones");
        }
        println!("\nevery answer was the expected one, and the server has stopped");
        Ok(())
    }
}

/// Builds the guests and the program, and gives back the program's path.
fn build() -> anyhow::Result<std::path::PathBuf> {
    let mut steps = Steps::default();
    steps.step("targets", targets::ensure)?;
    steps.step("guests", || guests::examples(&[targets::LEAN, targets::PREVIEW_1, targets::PREVIEW_2]))?;
    runners::set_up(&mut steps)?;
    runners::build(&mut steps)?;
    // The features that `cargo test --workspace` resolves, so that the two share what they build: all members' (`--workspace`) and
    // their dev-dependencies' (`--examples`: any test target counts them in, and of these there are none to build).
    steps.step("codenode, in the profile of the tests (not the release build)", || {
        Program::cargo().args(["build", "--workspace", "--bin", "codenode", "--examples"]).run()
    })?;
    Ok(guests::target_directory()?.join("debug/codenode"))
}

/// Plays every scene; gives back how many did not come out as expected.
fn tour(stage: &Stage, server: &Server) -> anyhow::Result<usize> {
    let mut surprises = 0;
    println!("\n==> six nodes answer signed events, two of them as the source that somebody pasted");
    for (node, said) in scene::GOOD {
        let event = format!("examples/{node}/event.json").into();
        surprises +=
            usize::from(!Scene { node, title: node, event, expected: Expected::Says(said) }.play(stage, server)?);
    }
    println!(
        "\n==> one asks a service over HTTP, as it is granted, and tells the answer in the words of whoever writes the messages"
    );
    server.import_messages(stage, "examples/order-tracker/messages.csv")?;
    for (language, said) in scene::ORDER {
        let (node, event) = ("order-tracker", stage.write_order(language)?);
        surprises +=
            usize::from(!Scene { node, title: node, event, expected: Expected::Says(said) }.play(stage, server)?);
    }
    println!("\n==> `naughty` misbehaves; its bot breaks have exact causes, and nobody else is harmed");
    for (misbehaviour, expected) in scene::NAUGHTY {
        let event = stage.write_event(misbehaviour)?;
        surprises += usize::from(!Scene { node: "naughty", title: misbehaviour, event, expected }.play(stage, server)?);
    }
    println!("\n==> and the others still answer");
    let (node, said) = scene::GOOD[0];
    let event = format!("examples/{node}/event.json").into();
    surprises += usize::from(!Scene { node, title: node, event, expected: Expected::Says(said) }.play(stage, server)?);
    Ok(surprises)
}

fn farewell(stage: &Stage, server: &Server) {
    let (codenode, secret, token) = (stage.codenode.display(), stage.secret().display().to_string(), stage.token());
    let event = "examples/order-status/event.json";
    let hook = server.hook("order-status");
    println!("\n==> it stays up until Ctrl-C");
    println!("  events     {}", server.hook("{node}"));
    println!("  runs       http://{}/v1/runs", server.management);
    println!("  secret     {secret}");
    println!("  token      {}", token.display());
    println!("  config     {}", stage.config().display());
    println!("  log        {}", stage.log().display());
    println!("\nSend an event:\n  {codenode} send {hook} \\\n    --event {event} --secret file:{secret}");
    println!("\nThe same with curl:\n  curl -i {hook} -H 'content-type: application/json' \\");
    println!("    -H \"$({codenode} sign --event {event} --secret file:{secret})\" \\\n    --data-binary @{event}");
    println!("\nWhat ran last:");
    println!(
        "  curl -H \"authorization: Bearer $(cat {})\" 'http://{}/v1/runs?limit=1'",
        token.display(),
        server.management
    );
}
