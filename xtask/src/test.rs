//! Everything that must hold before a change is good: first what is missing, then the cheap mistakes.

use crate::guests::{self, SDK_NODES, SDK_NODES_WITH_MORE};
use crate::program::Program;
use crate::runners;
use crate::services::{self, Services};
use crate::steps::Steps;
use crate::{sdks, targets, toolchains};

/// `cargo xtask test`
pub(crate) fn run() -> anyhow::Result<()> {
    check(&mut Steps::default())?;
    println!("\nall good");
    Ok(())
}

fn check(steps: &mut Steps) -> anyhow::Result<()> {
    guests::set_up(steps)?;
    sdks::set_up(steps)?;
    steps.step("set-up: valgrind", toolchains::valgrind)?;
    steps.step("set-up: strace", toolchains::strace)?;
    steps.step("set-up: schemathesis", || toolchains::schemathesis().map(drop))?;
    steps.step("set-up: an authorization server", || toolchains::oidc_provider().map(drop))?;
    services::set_up(steps)?;
    steps.step("format", || Program::cargo().args(["fmt", "--all", "--check"]).run())?;
    steps.step("lints", || {
        Program::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).run()
    })?;
    steps.step("lints of the guests", || {
        let nodes = [(targets::LEAN, SDK_NODES.as_slice()), (targets::PREVIEW_2, SDK_NODES_WITH_MORE.as_slice())];
        nodes.into_iter().try_for_each(|(target, nodes)| {
            let packages = nodes.iter().flat_map(|package| ["-p", package]).chain(["-p", "codenode"]);
            // In the guests' own profile, so that their macros are compiled once.
            Program::cargo()
                .args(["clippy", "--profile", "guest", "--target", target])
                .args(packages)
                .args(["--", "-D", "warnings"])
                .run()
        })
    })?;
    steps.step("documentation", || {
        Program::cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").run()
    })?;
    guests::build(steps)?;
    runners::build(steps)?;
    runners::test(steps)?;
    sdks::test(steps)?;
    let services = Services::start(steps)?;
    steps.step("tests", || Program::cargo().args(["test", "--workspace"]).envs(services.variables()).run())
}
