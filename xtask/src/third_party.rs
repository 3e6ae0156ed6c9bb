//! Programs of others that read standard input and write standard output, as they are on crates.io: what a test runs that codenode asks nothing of.

use std::path::Path;

use crate::guests;
use crate::program::Program;
use crate::targets::PREVIEW_1;

const FOLDER: &str = "target/toolchains/third-party";

/// Their names are those of the programs, too.
const PROGRAMS: [&str; 6] = ["canon@0.1.1", "jaq@2.1.0", "jsonice@0.2.1", "jsonxf@1.1.1", "pjs@0.1.3", "yj@1.2.4"];

/// Installs those that are not there in these versions, and puts them among the guests.
pub(crate) fn install() -> anyhow::Result<()> {
    let installed = Program::cargo().args(["install", "--list", "--root", FOLDER]).read()?;
    let is_there = |program: &&str| installed.contains(&format!("{}:", program.replace('@', " v")));
    if PROGRAMS.iter().all(is_there) {
        println!("  {} are there", PROGRAMS.join(" "));
    } else {
        // A feature of jaq's is an allocator in C, which is not for WASI.
        Program::cargo()
            .args(["install", "--quiet", "--locked", "--no-default-features", "--target", PREVIEW_1, "--root", FOLDER])
            .args(PROGRAMS)
            .env("CARGO_TARGET_DIR", format!("{FOLDER}/target"))
            .run()?;
    }
    PROGRAMS.iter().try_for_each(|program| {
        let (name, _version) = program.split_once('@').unwrap_or((program, ""));
        let made = Path::new(FOLDER).join("bin").join(name).with_extension("wasm");
        guests::install(&made, &format!("third-party-{name}.wasm"))
    })
}
