//! Everybody else who could do codenode's job: what is built of their sources in `tests/bench/contestants`, and how each is started.
//!
//! Nothing is started here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::tools::{self, Tool};
use crate::program::Program;
use crate::targets::{self, LEAN, PREVIEW_2};

const SOURCES: &str = "tests/bench/contestants";
/// Each contestant that is built has a folder in this one, so that its dependencies stay apart from ours.
const FOLDER: &str = "target/bench";

/// Makes `wasmtime serve` as fast as it can be with an instance for each request: memories and tables that stay mapped, reset by the kernel's
/// own scan where it has one. It cannot do without `concurrency-support`; no other option made a difference that could be measured.
const WASMTIME_TUNED: &str = "-Opooling-allocator=y,pooling-memory-keep-resident=1048576,pooling-table-keep-resident=1048576,pooling-pagemap-scan=auto";

/// Somebody else's way to do the job, ready to be started.
#[derive(serde::Serialize)]
pub(crate) struct Contestant {
    /// For figures and filters: `workerd`.
    pub(crate) name: &'static str,
    /// What a reader should know of it: `workerd 1.20261117.1, one V8 isolate, reused`.
    pub(crate) label: String,
    /// Program and arguments, from the root of the repository; `{port}` and `{secret}` stand for what the bench chooses.
    pub(crate) command: Vec<String>,
    /// Environment; the same placeholders.
    pub(crate) environment: BTreeMap<String, String>,
}

impl Contestant {
    fn new(name: &'static str, label: String, program: impl AsRef<Path>) -> Self {
        let command = vec![program.as_ref().display().to_string()];
        let environment = [("PORT", "{port}"), ("SECRET", "{secret}")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { name, label, command, environment }
    }

    fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.extend(arguments.into_iter().map(Into::into));
        self
    }
}

/// Installs and builds what is missing.
pub(crate) fn prepare() -> anyhow::Result<Vec<Contestant>> {
    targets::ensure()?;
    let mut contestants = wasmtime_serve()?;
    contestants.push(workerd()?);
    contestants.extend(extism()?);
    contestants.push(node()?);
    contestants.push(python()?);
    Ok(contestants)
}

/// A component of `wasi:http/proxy`: with an instance for each request, as it comes and tuned, and with instances that are used again.
fn wasmtime_serve() -> anyhow::Result<Vec<Contestant>> {
    let Tool { path: wasmtime, version } = tools::wasmtime()?;
    build("wasmtime-serve", &["--release", "--target", PREVIEW_2])?;
    let component = format!("{FOLDER}/wasmtime-serve/{PREVIEW_2}/release/wasmtime_serve_guest.wasm");
    let compiled = format!("{FOLDER}/wasmtime-serve/tuned.cwasm");
    Program::new(&wasmtime).args(["compile", WASMTIME_TUNED, &component, "-o", &compiled]).run()?;

    let serve = |name, how: &str| {
        let label = format!("wasmtime serve {version}, a Rust component, {how}");
        Contestant::new(name, label, &wasmtime).args([
            "serve",
            "--addr=127.0.0.1:{port}",
            "--env=SECRET={secret}",
            "-Scli",
        ])
    };
    Ok(vec![
        serve("wasmtime-serve", "an instance for each request, defaults").args([&component]),
        serve("wasmtime-serve-tuned", "an instance for each request, tuned").args([
            WASMTIME_TUNED,
            "--allow-precompiled",
            &compiled,
        ]),
        serve("wasmtime-serve-reused", "instances used again and again, tuned").args([
            WASMTIME_TUNED,
            "--max-instance-reuse-count=1000000",
            "--allow-precompiled",
            &compiled,
        ]),
    ])
}

fn workerd() -> anyhow::Result<Contestant> {
    let workerd = tools::workerd()?;
    let label = format!("workerd {}, one V8 isolate for all requests", workerd.version);
    let config = format!("{SOURCES}/workerd/config.capnp");
    Ok(Contestant::new("workerd", label, workerd.path).args(["serve", &config, "--socket-addr=http=127.0.0.1:{port}"]))
}

/// A plugin within a server of axum: with a plugin for each request, and with Extism's own pool of them.
fn extism() -> anyhow::Result<Vec<Contestant>> {
    build("extism", &["--release"])?;
    build("extism", &["--package", "extism-plugin", "--profile", "plugin", "--target", LEAN])?;
    let server = format!("{FOLDER}/extism/release/extism-contestant");
    let plugin = format!("{FOLDER}/extism/{LEAN}/plugin/extism_plugin.wasm");
    let version = locked_version("extism", "extism")?;
    let contestant = |name, mode: &str, how: &str| {
        let label = format!("Extism {version} in an axum server, {how}");
        Contestant::new(name, label, &server).args([mode, &plugin])
    };
    Ok(vec![
        contestant("extism", "fresh", "a Rust plugin for each request"),
        contestant("extism-pooled", "pooled", "Rust plugins used again and again"),
    ])
}

fn node() -> anyhow::Result<Contestant> {
    let node = tools::node()?;
    let label = format!("Node.js {}, node:http, no sandbox", node.version);
    Ok(Contestant::new("node", label, node.path).args([format!("{SOURCES}/node/server.mjs")]))
}

fn python() -> anyhow::Result<Contestant> {
    let python = tools::python()?;
    let label = format!("Python {}, ThreadingHTTPServer, no sandbox", python.version);
    Ok(Contestant::new("python", label, python.path).args([format!("{SOURCES}/python/server.py")]))
}

/// Builds with the contestant's own lock file.
fn build(contestant: &str, how: &[&str]) -> anyhow::Result<()> {
    Program::cargo()
        .args(["build", "--locked", "--manifest-path", &format!("{SOURCES}/{contestant}/Cargo.toml")])
        .args(how)
        .env("CARGO_TARGET_DIR", format!("{FOLDER}/{contestant}"))
        .run()
}

/// The version of a package that a contestant is built with.
fn locked_version(contestant: &str, package: &str) -> anyhow::Result<String> {
    let path = format!("{SOURCES}/{contestant}/Cargo.lock");
    let lock = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.map(str::to_owned).with_context(|| format!("{path} has no version of {package}"))
}
