//! codenode on this machine, with the runners where it looks for them.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Context as _;

use crate::program::Program;
use crate::runners;
use crate::steps::Steps;

/// Below the root of an installation; the program is in `bin`.
const RUNNERS: &str = "lib/codenode/runners";

#[derive(clap::Args)]
pub(crate) struct Install {
    /// The folder of `bin` and `lib` [default: as for `cargo install`, ~/.cargo]
    #[arg(long, env = "CARGO_INSTALL_ROOT", value_name = "FOLDER")]
    root: Option<PathBuf>,
}

impl Install {
    /// `cargo xtask install`
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let root = std::path::absolute(self.root.map_or_else(cargo_home, Ok)?)?;
        crate::at_the_root()?;
        let mut steps = Steps::default();
        runners::set_up(&mut steps)?;
        runners::build(&mut steps)?;
        steps.step("install: the runners", || copy(&root.join(RUNNERS)))?;
        steps.step("install: the program", || {
            Program::cargo().args(["install", "--locked", "--path", "runtime/cli", "--root"]).arg(&root).run()
        })
    }
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(env::home_dir()?.join(".cargo"))).context("there is no home: --root says where to install it")
}

/// Each as a whole: a server that starts meanwhile sees the old one or the new one.
fn copy(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for entry in fs::read_dir(runners::FOLDER)? {
        let runner = entry?;
        if runner.path().extension().is_some_and(|ending| ending == "wasm") {
            let (place, draft) = (folder.join(runner.file_name()), folder.join("draft"));
            let copied = fs::copy(runner.path(), &draft).and_then(|_| fs::rename(&draft, &place));
            copied.with_context(|| format!("cannot write {}", place.display()))?;
            println!("  {}", place.display());
        }
    }
    Ok(())
}
