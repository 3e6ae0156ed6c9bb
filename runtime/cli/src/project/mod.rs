//! A project: the folder of one handler, with its settings, its events and the replies that it shall have.
//!
//! It knows how the artifact is made, and nothing of servers: `codenode deploy` and `codenode dev` take what is made here.

mod build;
mod command;
mod component;
mod events;
mod lock;
mod manifest;
mod ready;
mod recipe;

use std::path::{Path, PathBuf};

use anyhow::bail;
use model::Limits;

use crate::given::Given;

pub(crate) use build::{Built, Refused, prepare};
pub(crate) use command::end_with_us;
pub(crate) use events::{Case, Verdict, cases};
pub(crate) use lock::try_lock;
pub(crate) use manifest::{FILE, Manifest};
pub(crate) use ready::Ready;
pub(crate) use recipe::Recipe;

/// A handler's folder, understood.
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Manifest,
    pub(crate) recipe: Recipe,
    pub(crate) limits: Limits,
}

/// Where a project is, for the commands that work on one.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// The project's folder
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
}

impl Project {
    /// Reads what a folder says of itself.
    ///
    /// # Errors
    /// Names the file and the line that are wrong, and what to write.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let file = below(folder, FILE);
        if !file.is_file() {
            bail!(
                "{} is no project: there is no {FILE}. `codenode new NAME` makes one; a handler without a project is run by its file, as in \
                 `codenode run main.py --event event.json`",
                folder.display()
            );
        }
        let manifest = Manifest::read(&file)?;
        let recipe = Recipe::find(folder, &manifest)?;
        let limits = manifest.limits(&file)?;
        Ok(Self { folder: folder.to_owned(), manifest, recipe, limits })
    }

    /// A path of the project's, from here.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        below(&self.folder, path)
    }

    /// What it is given, with paths from here.
    pub(crate) fn given(&self) -> Given {
        let here = |path: &Option<PathBuf>| path.as_ref().map(|path| self.path(path));
        let Manifest { grants, private_networks, connections, config, messages, .. } = &self.manifest;
        Given {
            grants: grants.clone(),
            private_networks: private_networks.clone(),
            connections: here(connections),
            config: here(config),
            messages: here(messages),
        }
    }
}

/// As somebody in the working directory writes it: without `./`.
fn below(folder: &Path, path: impl AsRef<Path>) -> PathBuf {
    if folder == Path::new(".") { path.as_ref().to_owned() } else { folder.join(path) }
}
