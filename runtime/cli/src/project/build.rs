//! From a project to an artifact that runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use sandbox::{PrepareError, Prepared, Sandbox};
use serde::Deserialize;

use super::command::{self, Output};
use super::component;
use super::manifest::{Build, usual_deadline};
use super::{Project, Recipe};
use crate::local;
use crate::output::printable;

/// What a crate is built for: the quickest guest of the SDK and, where it is a program, WASI.
const LIBRARY_TARGET: &str = "wasm32-unknown-unknown";
const PROGRAM_TARGET: &str = "wasm32-wasip1";

/// A handler that is ready to be compiled.
pub(crate) struct Built {
    /// As it is named on a command line.
    pub(crate) path: PathBuf,
    /// What is uploaded.
    pub(crate) artifact: Vec<u8>,
}

/// The code is wrong, and its author can mend it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(super) String);

impl Project {
    /// Makes the artifact.
    ///
    /// # Errors
    /// [`Refused`] where the code is wrong; otherwise what is missing, and how it is installed.
    pub(crate) async fn build(&self) -> anyhow::Result<Built> {
        let path = match &self.recipe {
            Recipe::Source(_, source) => self.path(source),
            Recipe::Rust => self.build_rust().await?,
            Recipe::PythonComponent => component::python(self).await?,
            Recipe::JavaScriptComponent(main) => component::javascript(self, main).await?,
            Recipe::Command(build) => self.build_by(build).await?,
        };
        Ok(Built { artifact: local::read_artifact(&path)?, path })
    }

    async fn build_rust(&self) -> anyhow::Result<PathBuf> {
        let is_program = self.path("src/main.rs").is_file() && !self.path("src/lib.rs").is_file();
        let target = if is_program { PROGRAM_TARGET } else { LIBRARY_TARGET };
        let place = ["rustc", "--print", "target-libdir", "--target", target];
        let place = command::run(&place, &self.folder, Output::Kept, usual_deadline()).await?;
        if !place.succeeded || !Path::new(place.output.trim()).is_dir() {
            bail!(
                "Rust is here, but cannot build for {target}: `rustup target add {target}`, then `codenode build` again"
            );
        }
        let build = ["cargo", "build", "--release", "--target", target, "--message-format", "json-render-diagnostics"];
        let built = command::run(&build, &self.folder, Output::Kept, usual_deadline()).await?;
        if !built.succeeded {
            return Err(Refused("cargo cannot build this crate; what it says is above".to_owned()).into());
        }
        let manifest = self.path("Cargo.toml");
        let manifest = manifest.canonicalize().with_context(|| format!("cannot find {}", manifest.display()))?;
        match made_by_cargo(&built.output, &manifest).as_slice() {
            [made] => Ok(shortened(made)),
            [] => Err(Refused(
                "the crate makes no WebAssembly: a handler with the SDK has `crate-type = [\"cdylib\"]` below [lib] in Cargo.toml".to_owned(),
            )
            .into()),
            [_, _, ..] => Err(Refused(
                "the crate makes more than one program: say in [build] of node.toml which command makes which artifact".to_owned(),
            )
            .into()),
        }
    }

    async fn build_by(&self, build: &Build) -> anyhow::Result<PathBuf> {
        let command: Vec<&str> = build.command.iter().map(String::as_str).collect();
        let ran = command::run(&command, &self.folder, Output::Shown, build.deadline).await?;
        let (shown, artifact) = (command.join(" "), self.path(&build.artifact));
        if !ran.succeeded {
            return Err(Refused(format!("`{shown}` failed; what it says is above")).into());
        }
        if !artifact.is_file() {
            return Err(Refused(format!(
                "`{shown}` went well and made no {}: set `build.artifact` to what it makes",
                artifact.display()
            ))
            .into());
        }
        Ok(artifact)
    }
}

/// Compiles what was made.
///
/// # Errors
/// [`Refused`] names each problem, with its line where it is in a source.
pub(crate) async fn prepare(sandbox: &Sandbox, built: &Built) -> anyhow::Result<Arc<Prepared>> {
    sandbox.prepare(&built.artifact).await.map_err(|error| match error {
        PrepareError::Refused(problems) => {
            let problems: Vec<String> = problems.iter().map(|problem| printable(problem)).collect();
            Refused(format!("codenode refuses {}:\n  - it {}", built.path.display(), problems.join("\n  - it "))).into()
        }
        PrepareError::Busy | PrepareError::NoRunner(..) | PrepareError::Host(_) => error.into(),
    })
}

/// What cargo tells of one thing that it made.
#[derive(Deserialize)]
struct Told {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The WebAssembly that cargo made of the crate with this manifest.
fn made_by_cargo(output: &str, manifest: &Path) -> Vec<PathBuf> {
    let told = output.lines().filter_map(|line| serde_json::from_str::<Told>(line).ok());
    let own = told.filter(|told| told.reason == "compiler-artifact" && told.manifest_path == manifest);
    let files = own.flat_map(|told| told.filenames);
    files.filter(|file| file.extension().is_some_and(|ending| ending == "wasm")).collect()
}

/// From here, where it is below.
fn shortened(path: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    here.ok().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_made_of_the_crate_itself_is_the_artifact() {
        let output = r#"{"reason":"compiler-artifact","manifest_path":"/a/dep/Cargo.toml","filenames":["/a/t/dep.wasm"]}
{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","filenames":["/a/t/handler.wasm","/a/t/libhandler.rlib"]}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(made_by_cargo(output, Path::new("/a/Cargo.toml")), [PathBuf::from("/a/t/handler.wasm")]);
        assert!(made_by_cargo(output, Path::new("/b/Cargo.toml")).is_empty());
    }
}
