//! The compiler targets that guests are built for.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::program::Program;

/// A lean guest: nothing but our own world.
pub(crate) const LEAN: &str = "wasm32-unknown-unknown";
/// WASI preview 1.
pub(crate) const PREVIEW_1: &str = "wasm32-wasip1";
/// WASI 0.2.
pub(crate) const PREVIEW_2: &str = "wasm32-wasip2";

/// Adds the targets that the toolchain lacks.
pub(crate) fn ensure() -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for target in [LEAN, PREVIEW_1, PREVIEW_2] {
        if !is_installed(target)? {
            missing.push(target);
        }
    }
    if missing.is_empty() {
        println!("  {LEAN}, {PREVIEW_1} and {PREVIEW_2} are there");
        return Ok(());
    }
    let rustup = Program::new("rustup").args(["target", "add"]).args(&missing);
    if !Program::new("rustup").arg("--version").ask().is_ok_and(|output| output.status.success()) {
        bail!("rustup is missing: install it from https://rustup.rs, then type `{rustup}`");
    }
    rustup.run().with_context(|| format!("see why with `{rustup}`"))
}

/// Asks the compiler, not rustup: a distribution's toolchain may have the target too.
fn is_installed(target: &str) -> anyhow::Result<bool> {
    let folder = Program::new("rustc").args(["--print", "target-libdir", "--target", target]).read()?;
    Ok(Path::new(folder.trim()).is_dir())
}
