//! The big guests: a handler in Python and one in JavaScript, each with its whole interpreter in the component.
//!
//! They take minutes, so they are built again only when something that goes into them has changed.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::guests;
use crate::program::Program;
use crate::toolchains::{self, COMPONENTIZE_JS, COMPONENTIZE_PY};

const WIT: &str = "guest-sdk/wit";
const WORLD: &str = "code-node";
const PYTHON_SOURCES: &str = "tests/guests/cpython";
const PYTHON_COPY: &str = "target/toolchains/python-sources";
const JAVASCRIPT_SOURCES: &str = "tests/guests/spidermonkey";

/// The component builder of npm is a library; this is the program around it.
const BUILD_SCRIPT: &str = include_str!("build.mjs");

/// `tests/guests/cpython/app.py` with CPython.
pub(crate) fn python() -> anyhow::Result<()> {
    let guest = Guest { name: "python.wasm", sources: PYTHON_SOURCES, tool: COMPONENTIZE_PY };
    guest.make(|draft| {
        let componentize = toolchains::python()?;
        // From a copy: Python leaves compiled code beside its sources.
        copy(Path::new(PYTHON_SOURCES), Path::new(PYTHON_COPY))?;
        Ok(Program::new(componentize)
            .args(["-d", WIT, "-w", WORLD, "componentize", "-p", PYTHON_COPY, "app", "-o"])
            .arg(draft))
    })
}

/// `tests/guests/spidermonkey/app.js` with SpiderMonkey.
pub(crate) fn javascript() -> anyhow::Result<()> {
    let guest = Guest { name: "javascript.wasm", sources: JAVASCRIPT_SOURCES, tool: COMPONENTIZE_JS };
    guest.make(|draft| {
        // Node looks for packages beside the script.
        let script = toolchains::node()?.join("build.mjs");
        fs::write(&script, BUILD_SCRIPT).with_context(|| format!("cannot write {}", script.display()))?;
        let source = format!("{JAVASCRIPT_SOURCES}/app.js");
        Ok(Program::new("node").arg(script).args([source.as_str(), WIT, WORLD]).arg(draft))
    })
}

struct Guest {
    name: &'static str,
    sources: &'static str,
    tool: &'static str,
}

impl Guest {
    /// Builds the guest with `build`, unless it was made of the same inputs before.
    fn make(&self, build: impl FnOnce(OsString) -> anyhow::Result<Program>) -> anyhow::Result<()> {
        let folder = Path::new(guests::FOLDER);
        let (place, stamp) = (folder.join(self.name), folder.join(format!("{}.inputs", self.name)));
        let inputs = self.inputs()?;
        if place.is_file() && fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == inputs) {
            println!("  {} is of the same sources and tools", place.display());
            return Ok(());
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let draft = folder.join(format!("{}.new", self.name));
        build(draft.clone().into())?.run()?;
        guests::install(&draft, self.name)?;
        fs::remove_file(&draft)?;
        fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// A digest of everything that goes into the guest. Should a newer compiler digest otherwise, the guest is built once more.
    fn inputs(&self) -> anyhow::Result<String> {
        let mut hasher = DefaultHasher::new();
        (self.tool, BUILD_SCRIPT).hash(&mut hasher);
        for file in files(&[Path::new(self.sources), Path::new(WIT)])? {
            let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            (&file, content).hash(&mut hasher);
        }
        Ok(format!("{:016x}\n", hasher.finish()))
    }
}

/// Replaces a folder by a copy of the files in another.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let replace = || {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        Ok::<_, std::io::Error>(())
    };
    replace().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// All files below some folders, sorted.
fn files(folders: &[&Path]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}
