//! Commands in languages that have no SDK, and need none: they read the event from standard input and write the reply to standard output.

use std::ffi::OsString;
use std::path;

use anyhow::Context as _;

use crate::guests;
use crate::kept::Kept;
use crate::program::Program;
use crate::toolchains::{self, ASSEMBLYSCRIPT, GO, ZIG};

/// Below it, what compilers keep from one build to the next.
const CACHES: &str = "target/toolchains/caches";

/// The stack of programs by Zig's linker, whose own choice of 16 MiB each of their runs would have to find memory for.
const STACK_BYTES: &str = "1048576";

#[derive(Clone, Copy)]
enum Language {
    C,
    Go,
    Zig,
    AssemblyScript,
}

/// A command of one file, with what that file needs beside it.
struct Command {
    language: Language,
    name: &'static str,
    /// The file first.
    sources: &'static [&'static str],
}

const COMMANDS: [Command; 8] = [
    Command {
        language: Language::C,
        name: "price-c.wasm",
        sources: &["examples/price-c/main.c", "examples/price-c/jsmn.h"],
    },
    Command { language: Language::Go, name: "price-go.wasm", sources: &["examples/price-go/main.go"] },
    Command { language: Language::Zig, name: "price-zig.wasm", sources: &["examples/price-zig/main.zig"] },
    Command {
        language: Language::AssemblyScript,
        name: "price-assemblyscript.wasm",
        sources: &["examples/price-assemblyscript/main.ts"],
    },
    Command {
        language: Language::C,
        name: "conformance-c.wasm",
        sources: &["tests/guests/conformance/main.c", "examples/price-c/jsmn.h"],
    },
    Command { language: Language::Go, name: "conformance-go.wasm", sources: &["tests/guests/conformance/main.go"] },
    Command { language: Language::Zig, name: "conformance-zig.wasm", sources: &["tests/guests/conformance/main.zig"] },
    Command {
        language: Language::AssemblyScript,
        name: "conformance-assemblyscript.wasm",
        sources: &["tests/guests/conformance/main.ts"],
    },
];

/// Builds those whose sources or tools have changed.
pub(crate) fn build() -> anyhow::Result<()> {
    COMMANDS.iter().try_for_each(|Command { language, name, sources }| {
        let guest = Kept { folder: guests::FOLDER, name, sources, made_with: language.tools() };
        let source = sources.first().with_context(|| format!("{name} is made of nothing"))?;
        guest.make(|draft| language.compiler(source, draft.into())?.run())
    })
}

impl Language {
    const fn tools(self) -> &'static [&'static str] {
        match self {
            Self::C | Self::Zig => &[ZIG, STACK_BYTES],
            Self::Go => &[GO],
            Self::AssemblyScript => &ASSEMBLYSCRIPT,
        }
    }

    /// What makes a WASI program of a file.
    fn compiler(self, source: &str, made: OsString) -> anyhow::Result<Program> {
        match self {
            Self::C => Ok(zig()?
                .args(["cc", "--target=wasm32-wasi", "-O2", "-s", "-Wall", "-Wextra", "-Werror"])
                .arg(format!("-Wl,-z,stack-size={STACK_BYTES}"))
                .args([source.into(), "-o".into(), made])),
            Self::Zig => {
                let made = [OsString::from("-femit-bin="), made].into_iter().collect::<OsString>();
                Ok(zig()?
                    .args(["build-exe", "-target", "wasm32-wasi", "-O", "ReleaseSmall", "--stack", STACK_BYTES, source])
                    .arg(made))
            }
            Self::Go => Ok(Program::new(toolchains::go()?)
                .envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOTOOLCHAIN", "local"), ("GOENV", "off")])
                .env("GOCACHE", cache("go")?)
                .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
                .args([made, source.into()])),
            Self::AssemblyScript => {
                let packages = toolchains::assemblyscript()?.join("node_modules");
                let program = Program::new("node").arg(packages.join("assemblyscript/bin/asc.js")).args([source, "-O"]);
                // The faster ways of json-as to write JSON tear some emoji apart.
                Ok(program
                    .env("JSON_MODE", "NAIVE")
                    .arg("--transform")
                    .arg(path::absolute(packages.join("json-as/transform/lib/index.js"))?)
                    .arg("--config")
                    .arg(packages.join("@assemblyscript/wasi-shim/asconfig.json"))
                    .args(["--path".into(), packages.into_os_string(), "-o".into(), made]))
            }
        }
    }
}

/// Zig, which brings clang and the C library of WASI.
fn zig() -> anyhow::Result<Program> {
    let cache = cache("zig")?;
    Ok(Program::new(toolchains::zig()?).env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache))
}

fn cache(name: &str) -> anyhow::Result<OsString> {
    let folder = path::absolute(path::Path::new(CACHES).join(name)).context("cannot tell where we are")?;
    Ok(folder.into_os_string())
}
