//! What takes minutes to build, and is built again only when something that goes into it has changed.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// What Python and npm leave beside sources.
const LEFT_BEHIND: [&str; 2] = ["__pycache__", "node_modules"];

/// A component that is kept in a folder, with a digest of what it was made of beside it.
pub(crate) struct Kept {
    pub(crate) folder: &'static str,
    pub(crate) name: &'static str,
    /// Files, and folders with all that is below them.
    pub(crate) sources: &'static [&'static str],
    /// Versions, and scripts of ours.
    pub(crate) made_with: &'static [&'static str],
}

impl Kept {
    /// Builds it with `build`, unless it was made of the same inputs before.
    pub(crate) fn make(&self, build: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let folder = Path::new(self.folder);
        let (place, stamp) = (folder.join(self.name), folder.join(format!("{}.inputs", self.name)));
        let inputs = self.inputs()?;
        if place.is_file() && fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == inputs) {
            println!("  {} is of the same sources and tools", place.display());
            return Ok(());
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let draft = folder.join(format!("{}.new", self.name));
        build(&draft)?;
        // As a whole: who runs it meanwhile sees the old one or the new one.
        fs::rename(&draft, &place).with_context(|| format!("cannot write {}", place.display()))?;
        let bytes = fs::metadata(&place).with_context(|| format!("cannot read {}", place.display()))?.len();
        println!("  {} ({} KiB)", place.display(), bytes.div_ceil(1024));
        fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// A digest of everything that goes into it. Should a newer compiler digest otherwise, it is built once more.
    fn inputs(&self) -> anyhow::Result<String> {
        let mut hasher = DefaultHasher::new();
        self.made_with.hash(&mut hasher);
        for file in files(self.sources)? {
            let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            (&file, content).hash(&mut hasher);
        }
        Ok(format!("{:016x}\n", hasher.finish()))
    }
}

/// Replaces a folder by a copy of these files and folders, each under its own name: Python leaves compiled code beside its sources.
pub(crate) fn copy(from: &[&str], to: impl AsRef<Path>) -> anyhow::Result<()> {
    let to = to.as_ref();
    let replace = || {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        fs::create_dir_all(to)?;
        for source in from {
            let parent = Path::new(source).parent().unwrap_or(Path::new(""));
            for file in files(&[*source])? {
                let place = to.join(file.strip_prefix(parent).unwrap_or(&file));
                fs::create_dir_all(place.parent().unwrap_or(to))?;
                fs::copy(&file, place)?;
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    replace().with_context(|| format!("cannot copy {} to {}", from.join(" and "), to.display()))
}

/// All files of these files and folders, sorted.
fn files(places: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut places: Vec<PathBuf> = places.iter().map(PathBuf::from).collect();
    while let Some(place) = places.pop() {
        if place.is_file() {
            files.push(place);
        } else if !LEFT_BEHIND.iter().any(|name| place.ends_with(name)) {
            for entry in fs::read_dir(&place).with_context(|| format!("cannot read {}", place.display()))? {
                places.push(entry?.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
