//! What turns Python and JavaScript into components, in versions of our choice, below `target/toolchains`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::program::Program;

/// From PyPI; it brings CPython.
pub(crate) const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";
/// From npm; it brings SpiderMonkey.
pub(crate) const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js@0.23.0";

const PYTHON_FOLDER: &str = "target/toolchains/python";
const NODE_FOLDER: &str = "target/toolchains/node";

/// The program `componentize-py`, installed if it is not there.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    let folder = Path::new(PYTHON_FOLDER);
    let program = folder.join("bin/componentize-py");
    let version = COMPONENTIZE_PY.split("==").last().unwrap_or_default();
    let installed = Program::new(&program).arg("--version").read();
    if installed.is_ok_and(|said| said.split_whitespace().last() == Some(version)) {
        println!("  {COMPONENTIZE_PY} is there");
        return Ok(program);
    }
    ensure_python()?;
    Program::new("python3").args(["-m", "venv", "--clear", PYTHON_FOLDER]).run()?;
    Program::new(folder.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", COMPONENTIZE_PY])
        .run()?;
    Ok(program)
}

/// The folder that has `componentize-js` in its `node_modules`, installed if it is not there.
pub(crate) fn node() -> anyhow::Result<PathBuf> {
    let folder = Path::new(NODE_FOLDER);
    ensure_node()?;
    let (name, version) = COMPONENTIZE_JS.rsplit_once('@').unwrap_or((COMPONENTIZE_JS, ""));
    let manifest = fs::read_to_string(folder.join("node_modules").join(name).join("package.json"));
    let installed: Option<Value> = manifest.ok().and_then(|text| serde_json::from_str(&text).ok());
    if installed.is_some_and(|manifest| manifest.get("version").and_then(Value::as_str) == Some(version)) {
        println!("  {COMPONENTIZE_JS} is there");
        return Ok(folder.to_owned());
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {NODE_FOLDER}"))?;
    Program::new("npm")
        .args(["install", "--prefix", NODE_FOLDER, "--no-save", "--no-audit", "--no-fund", "--loglevel=error"])
        .arg(COMPONENTIZE_JS)
        .run()?;
    Ok(folder.to_owned())
}

/// What counts instructions.
pub(crate) fn valgrind() -> anyhow::Result<()> {
    ensure("valgrind", &["valgrind"], || works(Program::new("valgrind").arg("--version")))
}

/// Python with what makes a folder of its own for packages.
pub(crate) fn ensure_python() -> anyhow::Result<()> {
    ensure("python3 with venv", &["python3", "python3-venv"], || {
        works(Program::new("python3").args(["-c", "import venv, ensurepip"]))
    })
}

/// Node.js with what installs packages.
pub(crate) fn ensure_node() -> anyhow::Result<()> {
    ensure("node with npm", &["nodejs", "npm"], || {
        works(Program::new("node").arg("--version")) && works(Program::new("npm").arg("--version"))
    })
}

fn works(program: Program) -> bool {
    program.ask().is_ok_and(|output| output.status.success())
}

/// Installs Debian's packages where that is ours to do, and says what to type where it is not.
fn ensure(what: &str, packages: &[&str], is_there: impl Fn() -> bool) -> anyhow::Result<()> {
    if is_there() {
        return Ok(());
    }
    let install = Program::new("apt-get").args(["install", "--yes", "--no-install-recommends"]).args(packages);
    if !works(Program::new("apt-get").arg("--version")) {
        bail!("{what} is missing: install it with your system's package manager, then try again");
    }
    if !rustix::process::geteuid().is_root() {
        bail!("{what} is missing: type `sudo {install}`, then try again");
    }
    println!("  {what} is missing");
    Program::new("apt-get").args(["update", "--quiet=2"]).run()?;
    install.run()?;
    if !is_there() {
        bail!("{what} is still missing after `{install}`");
    }
    Ok(())
}
