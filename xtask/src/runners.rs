//! The runners of handlers that are kept as source: a component for each engine, in `target/runners`.

use std::path::Path;

use crate::kept::{self, Kept};
use crate::program::Program;
use crate::sdks;
use crate::steps::Steps;
use crate::toolchains::{self, BUILD_JAVASCRIPT, COMPONENTIZE_JS, COMPONENTIZE_PY, ESBUILD, SUCRASE};

/// Where codenode looks for them, beside the folder of its own program.
pub(crate) const FOLDER: &str = "target/runners";

const WIT: &str = "guest-sdk/wit";
const WORLD: &str = "runner";

const PYTHON_APP: &str = "runtime/runners/python/app.py";
const PYTHON_RUNNER: &str = "runtime/runners/python/codenode_runner";
const PYTHON_SDK: &str = "guest-sdk/python/codenode";
const PYTHON_REQUIREMENTS: &str = "runtime/runners/python/requirements.txt";
const PYTHON_COPY: &str = "target/toolchains/python-runner";

const JAVASCRIPT: &str = "runtime/runners/javascript/runner.js";
const JAVASCRIPT_PARTS: &str = "runtime/runners/javascript/parts";
const JAVASCRIPT_SDK: &str = "guest-sdk/javascript/src";
/// What runners import as `codenode`.
const JAVASCRIPT_SDK_ENTRY: &str = "./guest-sdk/javascript/src/component.ts";
const JAVASCRIPT_BUNDLE: &str = "target/toolchains/javascript-runner.js";
/// What runners import as `sucrase.txt`.
const SUCRASE_TEXT: &str = "target/toolchains/sucrase.txt";
const JAVASCRIPT_TESTS: [&str; 2] =
    ["runtime/runners/javascript/tests/source.test.js", "runtime/runners/javascript/tests/typescript.test.js"];
const JAVASCRIPT_TESTS_BUNDLE: &str = "target/toolchains/javascript-runner-tests";

/// `cargo xtask runners`
pub(crate) fn run() -> anyhow::Result<()> {
    let mut steps = Steps::default();
    set_up(&mut steps)?;
    build(&mut steps)
}

/// Everything that building runners takes and that may be missing.
pub(crate) fn set_up(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("set-up: Python", || toolchains::python().map(drop))?;
    steps.step("set-up: JavaScript", || toolchains::node().map(drop))
}

/// Every runner.
pub(crate) fn build(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("runners: Python", python)?;
    steps.step("runners: JavaScript", javascript)
}

/// Their own logic by itself, and the components as they are.
pub(crate) fn test(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("tests of the runners: their logic", || {
        let (top, tests) = ("runtime/runners/python", "runtime/runners/python/tests");
        unittest(Program::new("python3"), &["-t", top, "-s", tests])?;
        bundle(&JAVASCRIPT_TESTS)?
            .args(["--out-extension:.js=.mjs", &format!("--outdir={JAVASCRIPT_TESTS_BUNDLE}")])
            .run()?;
        sdks::node_test(Path::new(JAVASCRIPT_TESTS_BUNDLE))
    })?;
    let host = steps.step("set-up: a host for the runners", toolchains::wasmtime)?;
    steps
        .step("tests of the runners: the components", || unittest(Program::new(host), &["-s", "runtime/runners/tests"]))
}

pub(crate) fn unittest(python: Program, places: &[&str]) -> anyhow::Result<()> {
    let places = places.iter().copied();
    python.args(["-m", "unittest", "discover"]).args(places).env("PYTHONDONTWRITEBYTECODE", "1").run()
}

/// CPython with `runtime/runners/python` and the packages of its `requirements.txt`.
fn python() -> anyhow::Result<()> {
    let sources = &[PYTHON_APP, PYTHON_RUNNER, PYTHON_SDK, PYTHON_REQUIREMENTS, WIT];
    let runner =
        Kept { folder: FOLDER, name: "python.wasm", sources, made_with: &[COMPONENTIZE_PY, toolchains::PYTHON_FOLDER] };
    runner.make(|draft| {
        let componentize = toolchains::python()?;
        let packages = toolchains::pure_python_packages(PYTHON_REQUIREMENTS)?;
        kept::copy(&[PYTHON_APP, PYTHON_RUNNER, PYTHON_SDK], PYTHON_COPY)?;
        Program::new(componentize)
            .env("VIRTUAL_ENV", toolchains::PYTHON_FOLDER)
            .args(["-d", WIT, "-w", WORLD, "componentize", "-p", PYTHON_COPY, "-p", packages, "app", "-o"])
            .arg(draft)
            .run()?;
        sdks::immortalise(draft)
    })
}

/// SpiderMonkey with `runtime/runners/javascript` and the SDK.
fn javascript() -> anyhow::Result<()> {
    let sources = &[JAVASCRIPT, JAVASCRIPT_PARTS, JAVASCRIPT_SDK, WIT];
    let made_with = &[COMPONENTIZE_JS, BUILD_JAVASCRIPT, ESBUILD, SUCRASE];
    let runner = Kept { folder: FOLDER, name: "javascript.wasm", sources, made_with };
    runner.make(|draft| {
        bundle(&[JAVASCRIPT])?.arg(format!("--outfile={JAVASCRIPT_BUNDLE}")).run()?;
        // It never takes requests, it only sends some.
        toolchains::build_javascript()?.args([JAVASCRIPT_BUNDLE, WIT, WORLD]).arg(draft).arg("fetch-event").run()
    })
}

/// What makes one file of each of these and of all that it imports, still without a place for it.
fn bundle(entries: &[&str]) -> anyhow::Result<Program> {
    let plain = ["--bundle", "--platform=neutral", "--log-level=warning"];
    toolchains::esbuild()?
        .arg(toolchains::sucrase()?)
        .args(plain)
        .args(["--main-fields=module,main", "--format=iife", "--global-name=sucrase", "--minify", "--charset=ascii"])
        .arg(format!("--outfile={SUCRASE_TEXT}"))
        .run()?;
    Ok(toolchains::esbuild()?
        .args(entries.iter().copied())
        .args(plain)
        .args(["--format=esm", "--external:wasi:*", "--external:node:*", "--loader:.txt=text"])
        .arg(format!("--alias:codenode={JAVASCRIPT_SDK_ENTRY}"))
        .arg(format!("--alias:sucrase.txt=./{SUCRASE_TEXT}")))
}
