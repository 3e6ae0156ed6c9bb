//! The example nodes as guests: compiled for each target that the tests want, in `target/guests`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use crate::program::Program;
use crate::steps::Steps;
use crate::targets::{self, LEAN, PREVIEW_1, PREVIEW_2};
use crate::{commands, interpreters, sdks, third_party, toolchains};

/// Where the tests look for guests.
pub(crate) const FOLDER: &str = "target/guests";

/// The nodes that are written with the SDK, for [`LEAN`]; and one that is written for the WIT alone.
pub(crate) const SDK_NODES: [&str; 8] =
    ["product-price", "order-status", "weather-cards", "crm-lead", "appointment", "naughty", "caller", "released"];

/// The same for [`PREVIEW_2`]: those with features of the SDK that the others shall not have, and what is built together has them all; and a
/// handler without the SDK.
pub(crate) const SDK_NODES_WITH_MORE: [&str; 6] =
    ["order-tracker", "otp-verify", "keeper", "configured", "responder", "conformance"];

/// A guest: the package, its target, cargo's name for what it makes, and ours.
struct Guest {
    package: &'static str,
    target: &'static str,
    made: &'static str,
    name: &'static str,
}

const GUESTS: [Guest; 21] = [
    Guest { package: "product-price", target: LEAN, made: "product_price.wasm", name: "product-price.wasm" },
    Guest { package: "order-status", target: LEAN, made: "order_status.wasm", name: "order-status.wasm" },
    Guest { package: "appointment", target: LEAN, made: "appointment.wasm", name: "appointment.wasm" },
    Guest { package: "naughty", target: LEAN, made: "naughty.wasm", name: "naughty.wasm" },
    Guest { package: "order-tracker", target: PREVIEW_2, made: "order_tracker.wasm", name: "order-tracker.wasm" },
    Guest { package: "weather-cards", target: LEAN, made: "weather_cards.wasm", name: "weather-cards.wasm" },
    Guest { package: "crm-lead", target: LEAN, made: "crm_lead.wasm", name: "crm-lead.wasm" },
    Guest { package: "caller", target: LEAN, made: "caller.wasm", name: "caller.wasm" },
    Guest { package: "released", target: LEAN, made: "released.wasm", name: "released.wasm" },
    Guest { package: "long-reply", target: LEAN, made: "long_reply.wasm", name: "long-reply.wasm" },
    Guest { package: "echo-command", target: PREVIEW_1, made: "echo-command.wasm", name: "echo-command.wasm" },
    Guest { package: "price-command", target: PREVIEW_1, made: "price-command.wasm", name: "price-command.wasm" },
    Guest { package: "echo-command", target: PREVIEW_2, made: "echo-command.wasm", name: "echo-command-p2.wasm" },
    Guest { package: "product-price", target: PREVIEW_2, made: "product_price.wasm", name: "product-price-p2.wasm" },
    Guest { package: "otp-verify", target: PREVIEW_2, made: "otp_verify.wasm", name: "otp-verify.wasm" },
    Guest { package: "reaching", target: PREVIEW_2, made: "reaching.wasm", name: "reaching.wasm" },
    Guest { package: "keeper", target: PREVIEW_2, made: "keeper.wasm", name: "keeper.wasm" },
    Guest { package: "configured", target: PREVIEW_2, made: "configured.wasm", name: "configured.wasm" },
    Guest {
        package: "conformance-command",
        target: PREVIEW_1,
        made: "conformance-command.wasm",
        name: "conformance-command.wasm",
    },
    Guest { package: "conformance", target: PREVIEW_2, made: "conformance.wasm", name: "conformance.wasm" },
    Guest { package: "responder", target: PREVIEW_2, made: "responder.wasm", name: "responder.wasm" },
];

/// `cargo xtask guests`
pub(crate) fn run() -> anyhow::Result<()> {
    let mut steps = Steps::default();
    set_up(&mut steps)?;
    build(&mut steps)
}

/// Everything that building guests takes and that may be missing.
pub(crate) fn set_up(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("set-up: targets", targets::ensure)?;
    steps.step("set-up: Python", || toolchains::python().map(drop))?;
    steps.step("set-up: JavaScript", || toolchains::node().map(drop))?;
    steps.step("set-up: Zig", || toolchains::zig().map(drop))?;
    steps.step("set-up: Go", || toolchains::go().map(drop))?;
    steps.step("set-up: AssemblyScript", || toolchains::assemblyscript().map(drop))
}

/// Every guest that the tests run.
pub(crate) fn build(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("guests: the examples", || examples(&[LEAN, PREVIEW_1, PREVIEW_2]))?;
    steps.step("guests: one with line numbers", with_line_numbers)?;
    steps.step("guests: commands in C, Go, Zig and AssemblyScript", commands::build)?;
    steps.step("guests: programs of others", third_party::install)?;
    steps.step("guests: Python", interpreters::python)?;
    steps.step("guests: JavaScript", interpreters::javascript)?;
    sdks::build(steps)
}

/// Builds the examples for these targets.
pub(crate) fn examples(targets: &[&str]) -> anyhow::Result<()> {
    let built = target_directory()?;
    fs::create_dir_all(FOLDER).with_context(|| format!("cannot make {FOLDER}"))?;
    for target in targets {
        let guests: Vec<&Guest> = GUESTS.iter().filter(|guest| guest.target == *target).collect();
        let packages = guests.iter().flat_map(|guest| ["-p", guest.package]);
        Program::cargo().args(["build", "--profile", "guest", "--target", target]).args(packages).run()?;
        for guest in guests {
            install(&built.join(target).join("guest").join(guest.made), guest.name)?;
        }
    }
    Ok(())
}

/// Builds the node that breaks in every way once more, with what its backtraces need to name file and line.
fn with_line_numbers() -> anyhow::Result<()> {
    Program::cargo().args(["build", "--profile", "guest-debug", "--target", LEAN, "-p", "naughty"]).run()?;
    install(&target_directory()?.join(LEAN).join("guest-debug/naughty.wasm"), "naughty-debug.wasm")
}

/// Puts a guest into its place as a whole: a test that runs meanwhile sees the old one or the new one.
pub(crate) fn install(made: &Path, name: &str) -> anyhow::Result<()> {
    let (place, draft) = (Path::new(FOLDER).join(name), Path::new(FOLDER).join(format!("{name}.draft")));
    let bytes = fs::copy(made, &draft).with_context(|| format!("cannot copy {}", made.display()))?;
    fs::rename(&draft, &place).with_context(|| format!("cannot write {}", place.display()))?;
    println!("  {} ({} KiB)", place.display(), bytes.div_ceil(1024));
    Ok(())
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> anyhow::Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let text = Program::cargo().args(["metadata", "--no-deps", "--format-version", "1"]).read()?;
    let metadata: Metadata = serde_json::from_str(&text).context("cannot read what `cargo metadata` printed")?;
    let here = std::env::current_dir()?;
    Ok(metadata.target_directory.strip_prefix(&here).map_or(metadata.target_directory.clone(), Path::to_owned))
}
