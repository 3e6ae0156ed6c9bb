//! What runs sources: a component of codenode's own for Python, and one for JavaScript and TypeScript, compiled once for a host. It makes a program of
//! a source, in the sandbox, when that is prepared, and runs the program, in a fresh instance, for every event.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use model::{ArtifactId, Limits};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::compile::Compiled;
use crate::inspect::Inspection;
use crate::prepared::Prepared;
use crate::source::{Language, Source};
use crate::{PrepareError, Sandbox};

/// The largest program that is kept; what a runner makes of the longest source is about three times as long.
const MAX_PROGRAM_BYTES: usize = 2 << 20;

/// What a runner may use to make a program of a source. The longest in TypeScript takes 4 s of a core.
const COMPILE_LIMITS: Limits = Limits {
    cpu_time: Duration::from_secs(10),
    wall_time: Duration::from_secs(40),
    memory_bytes: 256 << 20,
    host_call_bytes: 16 << 20,
    ..Limits::DEFAULT
};

/// Where runners are looked for beside the program, if nobody says where they are: as they are built, and as they are installed.
const USUAL_PLACES: [&str; 3] = ["runners", "../runners", "../lib/codenode/runners"];

/// The runners of a host.
pub(crate) struct Runners {
    folder: Option<PathBuf>,
    /// By [`Language::runner`].
    ready: Mutex<HashMap<Language, Arc<Prepared>>>,
}

/// What a runner made of a source. It belongs to this very runner.
pub(crate) struct Program {
    runner: ArtifactId,
    pub(crate) bytes: Vec<u8>,
}

impl Runners {
    /// Those in `folder`, or in the usual places.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, ready: Mutex::default() }
    }

    /// The runner's bytes.
    fn read(&self, language: Language) -> Result<Vec<u8>, PrepareError> {
        let file = format!("{}.wasm", language.runner().name());
        let places = self.places();
        let Some(path) = places.iter().map(|place| place.join(&file)).find(|path| path.is_file()) else {
            let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            let advice = "`cargo xtask runners` builds it, and CODENODE_RUNNERS or `sandbox.runners` says where it is";
            return Err(PrepareError::NoRunner(language, format!("no {file} in {}; {advice}", places.join(" or "))));
        };
        Ok(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?)
    }

    fn places(&self) -> Vec<PathBuf> {
        let beside = || env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
        match &self.folder {
            Some(folder) => vec![folder.clone()],
            None => USUAL_PLACES.map(|place| beside().unwrap_or_default().join(place)).to_vec(),
        }
    }
}

impl Sandbox {
    /// The runner of a language, ready.
    async fn runner(&self, language: Language) -> Result<Arc<Prepared>, PrepareError> {
        let mut ready = self.0.runners.ready.lock().await;
        if let Some(runner) = ready.get(&language.runner()).filter(|runner| self.keeps(runner)) {
            return Ok(Arc::clone(runner));
        }
        let sandbox = self.clone();
        let read = spawn_blocking(move || sandbox.0.runners.read(language)).await;
        let bytes = read.context("reading a runner panicked")??;
        let id = ArtifactId::from_sha256(Sha256::digest(&bytes).into());
        let runner = match self.find(id).await? {
            Some(compiled) => self.take_in(id, compiled).await?,
            None => self.compile(id, &bytes).await?,
        };
        let runner = Arc::new(runner);
        ready.insert(language.runner(), Arc::clone(&runner));
        Ok(runner)
    }

    /// Makes a program of a source, and keeps it as compiled code is kept.
    pub(crate) async fn compile_source(
        &self,
        id: ArtifactId,
        source: Source<'_>,
        inspection: Inspection,
    ) -> Result<Prepared, PrepareError> {
        if !inspection.problems.is_empty() {
            return Err(PrepareError::Refused(inspection.problems));
        }
        let runner = self.runner(source.language).await?;
        let turn = self.0.compiler.turn().await?;
        let code = self.code(&runner, &CancellationToken::new()).await;
        let code = code.map_err(|unavailable| anyhow!("the runner of {}: {}", source.language, unavailable.detail))?;
        let began = Instant::now();
        let made = self.make_program(&code, &source, &COMPILE_LIMITS).await.and_then(must_be_small);
        self.0.compiler.count(&made, began.elapsed());
        let program = Program { runner: runner.artifact(), bytes: made? };
        let (draft, mut file) = self.0.cache.draft(id).context("cannot write a program")?;
        program.write(&mut file).context("cannot write a program")?;
        self.0.cache.keep(id, &draft, inspection)?;
        drop(turn);
        Ok(Prepared::of_source(id, &runner, program))
    }

    /// Takes a program that was made before; `None` where another runner made it, so that it must be made anew.
    pub(crate) async fn take_in_source(
        &self,
        id: ArtifactId,
        language: Language,
        compiled: Compiled,
    ) -> Result<Option<Prepared>, PrepareError> {
        let runner = self.runner(language).await?;
        let path = compiled.code.path();
        let read =
            spawn_blocking(move || Program::read(&fs::read(path)?)).await.context("reading a program panicked")?;
        let program = read.context("a program cannot be read")?;
        let fitting = program.filter(|program| program.runner == runner.artifact());
        Ok(fitting.map(|program| Prepared::of_source(id, &runner, program)))
    }
}

impl Program {
    /// The runner's name on a line of its own, and what the runner made.
    fn write(&self, file: &mut fs::File) -> io::Result<()> {
        writeln!(file, "{}", self.runner)?;
        file.write_all(&self.bytes)
    }

    /// `None` where this is none.
    fn read(bytes: &[u8]) -> io::Result<Option<Self>> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let parts = end.and_then(|end| bytes.split_at_checked(end));
        Ok(parts.and_then(|(runner, rest)| {
            let runner = std::str::from_utf8(runner).ok()?.parse().ok()?;
            Some(Self { runner, bytes: rest.get(1..)?.to_vec() })
        }))
    }
}

fn must_be_small(program: Vec<u8>) -> Result<Vec<u8>, PrepareError> {
    if program.len() > MAX_PROGRAM_BYTES {
        return Err(PrepareError::Refused(vec![format!(
            "becomes a program of {} bytes; the limit is {MAX_PROGRAM_BYTES}: shorten it",
            program.len()
        )]));
    }
    Ok(program)
}
