//! The big guests: a handler in Python and one in JavaScript, each with its whole interpreter in the component.

use std::fs;

use anyhow::Context as _;

use crate::guests;
use crate::kept::{self, Kept};
use crate::program::Program;
use crate::toolchains::{self, COMPONENTIZE_JS, COMPONENTIZE_PY};

const WIT: &str = "guest-sdk/wit";
const WORLD: &str = "code-node";
const PYTHON_COPY: &str = "target/toolchains/python-sources";

/// The component builder of npm is a library; this is the program around it.
const BUILD_SCRIPT: &str = include_str!("build.mjs");

/// `tests/guests/cpython/app.py` with CPython.
pub(crate) fn python() -> anyhow::Result<()> {
    let sources = &["tests/guests/cpython", WIT];
    let guest = Kept { folder: guests::FOLDER, name: "python.wasm", sources, made_with: &[COMPONENTIZE_PY] };
    guest.make(|draft| {
        let componentize = toolchains::python()?;
        kept::copy(&["tests/guests/cpython/app.py"], PYTHON_COPY)?;
        Ok(Program::new(componentize)
            .args(["-d", WIT, "-w", WORLD, "componentize", "-p", PYTHON_COPY, "app", "-o"])
            .arg(draft))
    })
}

/// `tests/guests/spidermonkey/app.js` with SpiderMonkey.
pub(crate) fn javascript() -> anyhow::Result<()> {
    let (sources, made_with) = (&["tests/guests/spidermonkey", WIT], &[COMPONENTIZE_JS, BUILD_SCRIPT]);
    let guest = Kept { folder: guests::FOLDER, name: "javascript.wasm", sources, made_with };
    guest.make(|draft| {
        // Node looks for packages beside the script.
        let script = toolchains::node()?.join("build.mjs");
        fs::write(&script, BUILD_SCRIPT).with_context(|| format!("cannot write {}", script.display()))?;
        Ok(Program::new("node").arg(script).args(["tests/guests/spidermonkey/app.js", WIT, WORLD]).arg(draft))
    })
}
