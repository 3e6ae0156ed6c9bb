//! How a project's artifact is made: found from what lies in its folder. A further language is a further variant, found in [`Recipe::find`] and
//! followed in [`super::Project::build`].

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::bail;
use sandbox::source::Language;

use super::manifest::{Build, FILE, Manifest};

/// What a handler is called that is kept as its source.
const SOURCES: [&str; 5] = ["main.py", "main.js", "main.mjs", "main.ts", "main.mts"];
const CARGO: &str = "Cargo.toml";

/// What to do for an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipe {
    /// Nothing: the file is the handler.
    Source(Language, PathBuf),
    /// Cargo builds the crate in the folder.
    Rust,
    /// componentize-py builds `main.py`.
    PythonComponent,
    /// componentize-qjs builds this file.
    JavaScriptComponent(PathBuf),
    /// The author's own command does it.
    Command(Build),
}

impl Recipe {
    /// What the manifest says or, where it says nothing, what lies in the folder.
    ///
    /// # Errors
    /// If there is nothing, or more than one thing.
    pub(super) fn find(folder: &Path, manifest: &Manifest) -> anyhow::Result<Self> {
        let shown = super::below(folder, FILE);
        let shown = shown.display();
        match (&manifest.build, &manifest.source) {
            (Some(_), Some(_)) => bail!("{shown} has both `source` and [build]: remove one of the two"),
            (Some(_), None) if manifest.component => {
                bail!("{shown} has both `component` and [build]: remove one of the two")
            }
            (Some(build), None) => return Ok(Self::Command(build.clone())),
            (None, Some(source)) => match Self::of_file(source, manifest.component)? {
                Some(recipe) => return Ok(recipe),
                None => bail!(
                    "{shown}: `source` is {}, whose language nobody knows: its name must end in .py, .js, .mjs or .ts; for any other language \
                     say in [build] which command makes which artifact",
                    source.display()
                ),
            },
            (None, None) => {}
        }
        let lies_there: Vec<&str> =
            SOURCES.into_iter().chain([CARGO]).filter(|name| folder.join(name).is_file()).collect();
        match lies_there.as_slice() {
            [CARGO] if manifest.component => {
                bail!("{shown}: `component` is for Python, JavaScript and TypeScript: a crate is built into one anyway")
            }
            [CARGO] => Ok(Self::Rust),
            [name] => match Self::of_file(Path::new(name), manifest.component)? {
                Some(recipe) => Ok(recipe),
                None => bail!("{name} is no source"),
            },
            [] => bail!(
                "{} holds no handler: write main.py, main.js, main.ts or a crate with a Cargo.toml, or say in {FILE} which command makes which artifact:\n  \
                 [build]\n  command = [\"make\", \"handler.wasm\"]\n  artifact = \"handler.wasm\"",
                folder.display()
            ),
            [first, second, ..] => bail!(
                "{} holds both {first} and {second}: say which one is the handler, with `source = \"{first}\"` in {FILE}, or remove the other",
                folder.display()
            ),
        }
    }

    /// `None` for a file of no language that there is an interpreter for.
    fn of_file(file: &Path, as_component: bool) -> anyhow::Result<Option<Self>> {
        Ok(match Language::of_file(file) {
            Some(Language::Python) if as_component && file != Path::new("main.py") => {
                bail!("{}: a component is built of main.py: rename it", file.display())
            }
            Some(Language::Python) if as_component => Some(Self::PythonComponent),
            Some(Language::JavaScript | Language::TypeScript) if as_component => {
                Some(Self::JavaScriptComponent(file.to_owned()))
            }
            Some(language) => Some(Self::Source(language, file.to_owned())),
            None => None,
        })
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(language, _) => write!(f, "{language}, as it is"),
            Self::Rust => f.write_str("Rust, by cargo"),
            Self::PythonComponent => f.write_str("Python, by componentize-py"),
            Self::JavaScriptComponent(_) => f.write_str("JavaScript, by componentize-qjs"),
            Self::Command(build) => write!(f, "by `{}`", build.command.join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn found(manifest: &str, files: &[&str]) -> Result<Recipe, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), format!("name = \"a\"\n{manifest}")).unwrap();
        files.iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
        let manifest = Manifest::read(&folder.path().join(FILE)).unwrap();
        Recipe::find(folder.path(), &manifest).map_err(|error| error.to_string())
    }

    #[test]
    fn the_folder_tells_the_language() {
        assert_eq!(found("", &["main.py"]), Ok(Recipe::Source(Language::Python, "main.py".into())));
        assert_eq!(found("", &["main.mjs", "util.js"]), Ok(Recipe::Source(Language::JavaScript, "main.mjs".into())));
        assert_eq!(found("", &["Cargo.toml"]), Ok(Recipe::Rust));
        assert_eq!(
            found("source = \"bot.py\"", &["Cargo.toml"]),
            Ok(Recipe::Source(Language::Python, "bot.py".into()))
        );
        assert_eq!(found("component = true", &["main.py"]), Ok(Recipe::PythonComponent));
        assert_eq!(found("component = true", &["main.js"]), Ok(Recipe::JavaScriptComponent("main.js".into())));
        assert_eq!(found("", &["main.ts", "util.ts"]), Ok(Recipe::Source(Language::TypeScript, "main.ts".into())));
        let typed = found("component = true", &["main.ts", "package.json"]);
        assert_eq!(typed, Ok(Recipe::JavaScriptComponent("main.ts".into())));
        let command = found("[build]\ncommand = [\"make\"]\nartifact = \"a.wasm\"", &["main.py"]).unwrap();
        assert_eq!(command.to_string(), "by `make`");
    }

    #[test]
    fn where_it_does_not_it_is_said_what_would() {
        for (manifest, files, why) in [
            ("", &[][..], "[build]\n  command = "),
            ("", &["main.py", "Cargo.toml"], "both main.py and Cargo.toml: say which one"),
            ("source = \"main.rb\"", &[], "must end in .py, .js, .mjs or .ts"),
            ("component = true\nsource = \"bot.py\"", &[], "a component is built of main.py"),
            ("component = true", &["Cargo.toml"], "is for Python, JavaScript and TypeScript"),
            ("component = true\n[build]\ncommand = [\"make\"]\nartifact = \"a\"", &[], "both `component` and [build]"),
            ("source = \"main.py\"\n[build]\ncommand = [\"make\"]\nartifact = \"a\"", &[], "both `source` and [build]"),
        ] {
            let error = found(manifest, files).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
