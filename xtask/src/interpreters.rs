//! The big guests: a handler in Python and one in JavaScript, each with its whole interpreter in the component.

use crate::guests;
use crate::kept::{self, Kept};
use crate::program::Program;
use crate::toolchains::{self, COMPONENTIZE_JS, COMPONENTIZE_PY};

const WIT: &str = "guest-sdk/wit";
const WORLD: &str = "code-node";
const PYTHON_COPY: &str = "target/toolchains/python-sources";

/// `tests/guests/cpython/app.py` with CPython.
pub(crate) fn python() -> anyhow::Result<()> {
    let sources = &["tests/guests/cpython", WIT];
    let guest = Kept { folder: guests::FOLDER, name: "python.wasm", sources, made_with: &[COMPONENTIZE_PY] };
    guest.make(|draft| {
        let componentize = toolchains::python()?;
        kept::copy(&["tests/guests/cpython/app.py"], PYTHON_COPY)?;
        Program::new(componentize)
            .env("VIRTUAL_ENV", toolchains::PYTHON_FOLDER)
            .args(["-d", WIT, "-w", WORLD, "componentize", "-p", PYTHON_COPY, "app", "-o"])
            .arg(draft)
            .run()
    })
}

/// `tests/guests/spidermonkey/app.js` with SpiderMonkey, and without what imports `wasi:http`, which it does not use.
pub(crate) fn javascript() -> anyhow::Result<()> {
    let (sources, made_with) = (&["tests/guests/spidermonkey", WIT], &[COMPONENTIZE_JS, toolchains::BUILD_JAVASCRIPT]);
    let guest = Kept { folder: guests::FOLDER, name: "javascript.wasm", sources, made_with };
    guest.make(|draft| {
        let build = toolchains::build_javascript()?;
        build.args(["tests/guests/spidermonkey/app.js", WIT, WORLD]).arg(draft).args(["http", "fetch-event"]).run()
    })
}
