//! The SDKs that are not of Rust: their own tests, and the components that are built with them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::guests;
use crate::kept::{self, Kept};
use crate::program::Program;
use crate::runners::{self, unittest};
use crate::steps::Steps;
use crate::toolchains::{self, COMPONENTIZE_PY};

const WIT: &str = "guest-sdk/wit";

const PYTHON_FOLDER: &str = "guest-sdk/python";
const PYTHON_SDK: &str = "guest-sdk/python/codenode";
const PYTHON_IMMORTAL: &str = "guest-sdk/python/codenode/immortal.py";
/// What the SDK takes a handler's folder into a component with.
const PYTHON_ENTRY: &str = "codenode.component";
const PYTHON_WORLD: &str = "code-node-with-requests";
/// The world as Python sees it, for whoever checks types.
const PYTHON_BINDINGS: &str = "target/toolchains/python-bindings";
const PYTHON_EXAMPLE: &str = "examples/product-price-python";
const PYTHON_CAPABLE: &str = "tests/guests/capable-python";
/// The source of the same, as it is.
const PYTHON_CONFORMANCE: &str = "tests/guests/conformance";

const JAVASCRIPT_SDK: [&str; 5] = [
    "guest-sdk/javascript/package.json",
    "guest-sdk/javascript/tsconfig.json",
    "guest-sdk/javascript/componentize.mjs",
    "guest-sdk/javascript/src",
    "guest-sdk/javascript/tests",
];
const JAVASCRIPT_EXAMPLE: &str = "examples/product-price-javascript";
const JAVASCRIPT_CAPABLE: &str = "tests/guests/capable-javascript";
const JAVASCRIPT_CONFORMANCE: &str = "tests/guests/conformance/javascript";

/// `cargo xtask sdks`
pub(crate) fn run() -> anyhow::Result<()> {
    let mut steps = Steps::default();
    runners::set_up(&mut steps)?;
    set_up(&mut steps)?;
    test(&mut steps)?;
    build(&mut steps)
}

/// Everything that testing them takes and that may be missing, but for what guests are built with.
pub(crate) fn set_up(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("set-up: mypy", || toolchains::mypy().map(drop))?;
    steps.step("set-up: esbuild, componentize-qjs and TypeScript", || toolchains::javascript_sdk().map(drop))
}

/// Every guest that is made with them.
pub(crate) fn build(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("guests: with the SDK for Python", || {
        python_guest("product-price-py.wasm", PYTHON_EXAMPLE, &[PYTHON_EXAMPLE, PYTHON_SDK, WIT])?;
        python_guest("capable-py.wasm", PYTHON_CAPABLE, &[PYTHON_CAPABLE, PYTHON_SDK, WIT])?;
        python_guest("conformance-py.wasm", PYTHON_CONFORMANCE, &["tests/guests/conformance/main.py", PYTHON_SDK, WIT])
    })?;
    steps.step("guests: with the SDK for JavaScript", || {
        javascript_sdk()?;
        javascript_guest("product-price-js.wasm", JAVASCRIPT_EXAMPLE)?;
        javascript_guest("capable-js.wasm", JAVASCRIPT_CAPABLE)?;
        javascript_guest("conformance-js.wasm", JAVASCRIPT_CONFORMANCE)
    })
}

/// Their types, and their logic without a host.
pub(crate) fn test(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("tests of the SDK for Python: its types", python_types)?;
    steps.step("tests of the SDK for Python: its logic", || {
        let python = Program::new("python3");
        unittest(python, &["-t", PYTHON_FOLDER, "-s", "guest-sdk/python/tests"])?;
        let python = Program::new("python3").env("PYTHONPATH", PYTHON_FOLDER);
        unittest(python, &["-s", PYTHON_EXAMPLE])
    })?;
    steps.step("tests of the SDK for JavaScript: its types and its logic", || {
        let sdk = javascript_sdk()?;
        typescript(&sdk.join("tests"))?;
        node_test(&sdk.join("dist-tests"))?;
        let example = javascript_project(JAVASCRIPT_EXAMPLE)?;
        typescript(&example)?;
        node_test(&example.join("build"))?;
        typescript(&javascript_project(JAVASCRIPT_CAPABLE)?)?;
        typescript(&javascript_project(JAVASCRIPT_CONFORMANCE)?)
    })
}

/// A component of the handler `main.py` in a folder. An author has the SDK, and other packages, in further folders, each with its own `-p`.
fn python_guest(name: &'static str, folder: &str, sources: &'static [&'static str]) -> anyhow::Result<()> {
    let guest = Kept {
        folder: guests::FOLDER,
        name,
        sources,
        made_with: &[COMPONENTIZE_PY, PYTHON_WORLD, PYTHON_ENTRY, toolchains::PYTHON_FOLDER],
    };
    guest.make(|draft| {
        let componentize = toolchains::python()?;
        let copy = Path::new("target/toolchains/python-guest");
        kept::copy(&[folder, PYTHON_SDK], copy)?;
        let handler = copy.join(Path::new(folder).file_name().context("a handler's folder has a name")?);
        Program::new(componentize)
            .env("VIRTUAL_ENV", toolchains::PYTHON_FOLDER)
            .args(["-d", WIT, "-w", PYTHON_WORLD, "componentize", "-p"])
            .arg(handler)
            .arg("-p")
            .arg(copy)
            .args([PYTHON_ENTRY, "-o"])
            .arg(draft)
            .run()?;
        immortalise(draft)
    })
}

/// Nobody counts any more who holds the objects of a component's image.
pub(crate) fn immortalise(component: &Path) -> anyhow::Result<()> {
    Program::new("python3").arg(PYTHON_IMMORTAL).arg(component).run()
}

/// The SDK, its tests and what is written with it, against the very bindings that a component has.
fn python_types() -> anyhow::Result<()> {
    let (componentize, mypy, bindings) = (toolchains::python()?, toolchains::mypy()?, Path::new(PYTHON_BINDINGS));
    if bindings.exists() {
        fs::remove_dir_all(bindings).with_context(|| format!("cannot remove {PYTHON_BINDINGS}"))?;
    }
    Program::new(componentize).args(["-d", WIT, "-w", PYTHON_WORLD, "bindings", PYTHON_BINDINGS]).run()?;
    let check = |what: &[&str]| {
        let path = format!("{PYTHON_FOLDER}:{PYTHON_BINDINGS}");
        let cache = ["--strict", "--cache-dir", "target/toolchains/mypy-cache"];
        Program::new(&mypy).args(cache).args(what.iter().copied()).env("MYPYPATH", path).run()
    };
    check(&[PYTHON_SDK, "guest-sdk/python/tests"])?;
    check(&[PYTHON_EXAMPLE])?;
    check(&[PYTHON_CAPABLE])
}

/// A component of the handler `main.ts` in a folder, which has the SDK as its author would: in the `node_modules` above it.
fn javascript_guest(name: &str, folder: &str) -> anyhow::Result<()> {
    let main = javascript_project(folder)?.join("main.ts");
    let script = Path::new(toolchains::JAVASCRIPT_SDK_FOLDER).join("node_modules/codenode/componentize.mjs");
    let made = Path::new(toolchains::JAVASCRIPT_SDK_FOLDER).join(name);
    Program::new("node").arg(script).arg(main).arg("--output").arg(&made).run()?;
    guests::install(&made, name)
}

/// The package as npm packs and installs it: compiled, and with the contract. Gives the folder that it was packed of, which has its tests.
fn javascript_sdk() -> anyhow::Result<PathBuf> {
    let folder = toolchains::javascript_sdk()?;
    let (source, package) = (folder.join("source"), folder.join("node_modules/codenode"));
    kept::copy(&[WIT], &source)?;
    let source = source.join("javascript");
    kept::copy(&JAVASCRIPT_SDK, &source)?;
    let said = Program::new("npm").args(["pack", "--silent", "--no-update-notifier"]).within(&source).read()?;
    let packed = source.join(said.lines().last().context("npm pack does not say what it has made")?);
    if package.exists() {
        fs::remove_dir_all(&package).with_context(|| format!("cannot remove {}", package.display()))?;
    }
    fs::create_dir_all(&package).with_context(|| format!("cannot make {}", package.display()))?;
    Program::new("tar").args(["--strip-components=1", "-xzf"]).arg(packed).arg("-C").arg(package).run()?;
    Ok(source)
}

/// A copy of an author's project, beside the package.
fn javascript_project(folder: &str) -> anyhow::Result<PathBuf> {
    let projects = Path::new(toolchains::JAVASCRIPT_SDK_FOLDER).join("projects");
    kept::copy(&[folder], &projects)?;
    Ok(projects.join(Path::new(folder).file_name().context("a handler's folder has a name")?))
}

/// Checks the types of a project, strictly, and compiles it.
fn typescript(project: &Path) -> anyhow::Result<()> {
    let tsc = Path::new(toolchains::JAVASCRIPT_SDK_FOLDER).join("node_modules/.bin/tsc");
    Program::new(tsc).arg("--project").arg(project).run()
}

/// The tests in a folder, by their names: what Node.js makes of a folder hangs on its version.
pub(crate) fn node_test(folder: &Path) -> anyhow::Result<()> {
    let listed = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let files = listed.map(|entry| Ok(entry?.path())).collect::<io::Result<BTreeSet<PathBuf>>>()?;
    let is_test =
        |file: &PathBuf| [".test.js", ".test.mjs"].iter().any(|ending| file.to_string_lossy().ends_with(ending));
    let tests: Vec<PathBuf> = files.into_iter().filter(is_test).collect();
    ensure!(!tests.is_empty(), "there is no test in {}", folder.display());
    Program::new("node").args(["--test", "--test-reporter=dot"]).args(tests).run()
}
