//! Files of ours that are in the program, and how they come out of it: the SDKs' own sources, and the contract.
//!
//! What is taken in is said by its name: what tools and tests leave beside the sources has no place in a program.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use rust_embed::Embed;

/// What guests and hosts have agreed on.
#[derive(Embed)]
#[folder = "../../guest-sdk/wit"]
#[include = "*.wit"]
pub(crate) struct Contract;

/// The SDK for Rust, with its macro.
#[derive(Embed)]
#[folder = "../../guest-sdk/rust"]
#[include = "Cargo.toml"]
#[include = "src/*.rs"]
#[include = "macros/Cargo.toml"]
#[include = "macros/src/*.rs"]
pub(crate) struct Rust;

/// The SDK for Python.
#[derive(Embed)]
#[folder = "../../guest-sdk/python/codenode"]
#[include = "*.py"]
#[include = "py.typed"]
pub(crate) struct Python;

/// The SDK for JavaScript, what builds a component with it, and the versions that this takes.
#[derive(Embed)]
#[folder = "../../guest-sdk/javascript"]
#[include = "package.json"]
#[include = "componentize.mjs"]
#[include = "src/*.ts"]
pub(crate) struct JavaScript;

/// Writes those of the files that are wanted.
///
/// # Errors
/// If one is there already, or cannot be written.
pub(crate) fn write<T: Embed>(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    for path in T::iter().filter(|path| is_wanted(path)) {
        let file = T::get(&path).with_context(|| format!("{path} is not in this program"))?;
        write_new(&folder.join(path.as_ref()), &file.data)?;
    }
    Ok(())
}

/// Writes a file that is not there yet, and the folders above it.
///
/// # Errors
/// If it is there, or cannot be written.
pub(crate) fn write_new(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    let written = opened.and_then(|mut opened| opened.write_all(bytes));
    written.with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    /// Everything below a folder whose name is given from there.
    fn below(folder: &Path, from: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                below(&entry.path(), from, found);
            } else {
                found.insert(entry.path().strip_prefix(from).unwrap().to_owned());
            }
        }
    }

    fn names<T: Embed>() -> Vec<String> {
        T::iter().map(|name| name.into_owned()).collect()
    }

    #[test]
    fn nothing_that_tools_leave_behind_is_in_the_program() {
        let all = [names::<Contract>(), names::<Rust>(), names::<Python>(), names::<JavaScript>()].concat();
        for name in all {
            for litter in ["__pycache__", "node_modules", "target", "tests", "proptest-regressions"] {
                assert!(!name.split('/').any(|part| part == litter), "{name}");
            }
        }
    }

    #[test]
    fn no_source_is_left_out() {
        let sdks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-sdk");
        let of_javascript =
            names::<JavaScript>().into_iter().filter_map(|name| Some(name.strip_prefix("src/")?.to_owned()));
        for (folder, ending, embedded) in [
            ("wit", "wit", names::<Contract>()),
            ("rust", "rs", names::<Rust>()),
            ("python/codenode", "py", names::<Python>()),
            ("javascript/src", "ts", of_javascript.collect()),
        ] {
            let (folder, mut found) = (sdks.join(folder), BTreeSet::new());
            below(&folder, &folder, &mut found);
            found.retain(|path| path.extension().is_some_and(|known| known == ending));
            let embedded: BTreeSet<PathBuf> = embedded.into_iter().map(PathBuf::from).collect();
            let missing: Vec<_> = found.difference(&embedded).collect();
            assert!(!found.is_empty() && missing.is_empty(), "{}: {missing:?}", folder.display());
        }
    }
}
