//! Components of handlers in Python, JavaScript and TypeScript: an interpreter with the handler, its packages and the SDK, for what a source cannot have.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::time::sleep;

use super::Project;
use super::build::Refused;
use super::command::{self, Output};
use super::lock::try_lock;
use super::manifest::usual_deadline;
use crate::embedded::{Contract, JavaScript, Python, write};

/// Below the project: what is written anew for each build, and what is made.
const FOLDER: &str = ".codenode/build";
/// Of the SDK: what makes the objects of a component's image immortal.
const PYTHON_IMMORTAL: &str = "codenode/immortal.py";
/// What an author's packages are installed into, from here to the next change of [`REQUIREMENTS`].
const PACKAGES: &str = ".codenode/packages";
const REQUIREMENTS: &str = "requirements.txt";

/// What takes a folder with a `main.py` into a component, and the world that it is of.
const PYTHON_ENTRY: &str = "codenode.component";
const PYTHON_WORLD: &str = "code-node-with-requests";
/// Where the Python in its components looks for what an environment has.
const PYTHON_PACKAGES: &str = "lib/python3.14/site-packages";

/// What the SDK's builder takes from npm, in the versions of its `package.json`.
const NPM_PACKAGES: [&str; 2] = ["componentize-qjs", "esbuild"];

/// Whoever holds its lock builds.
const LOCK: &str = ".codenode/lock";
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// By componentize-py, with the pure-Python packages of `requirements.txt`.
pub(super) async fn python(project: &Project) -> anyhow::Result<PathBuf> {
    let _alone = alone(project).await?;
    let folder = fresh(project)?;
    write::<Python>(&folder.join("python/codenode"), |path| !path.contains("__pycache__"))?;
    let packages = packages(project).await?;
    let artifact = artifact(project);
    let wit = format!("{FOLDER}/wit");
    let sdk = format!("{FOLDER}/python");
    let mut build = vec!["componentize-py", "-d", &wit, "-w", PYTHON_WORLD, "componentize", "-p", "."];
    build.extend(packages.iter().flat_map(|packages| ["-p", packages]));
    build.extend(["-p", &sdk, PYTHON_ENTRY, "-o", &artifact]);
    // Else it takes in what is installed for whatever Python the machine has, such as a `requests` that finds no sockets.
    let nothing = std::path::absolute(folder.join("nothing"))?;
    let packages_of_nothing = nothing.join(PYTHON_PACKAGES);
    fs::create_dir_all(&packages_of_nothing)
        .with_context(|| format!("cannot make {}", packages_of_nothing.display()))?;
    let environment = [("VIRTUAL_ENV", nothing.as_path())];
    let built = command::run_with(&environment, &build, &project.folder, Output::Shown, usual_deadline()).await?;
    if !built.succeeded {
        return Err(Refused("componentize-py cannot build main.py; what it says is above".to_owned()).into());
    }
    let immortalise = ["python3", &format!("{sdk}/{PYTHON_IMMORTAL}"), &artifact];
    if !command::run(&immortalise, &project.folder, Output::Shown, usual_deadline()).await?.succeeded {
        eprintln!("so CPython counts who holds its objects, and a run takes a little longer");
    }
    Ok(project.path(artifact))
}

/// By esbuild and componentize-qjs, with the packages that the author has imported.
pub(super) async fn javascript(project: &Project, main: &Path) -> anyhow::Result<PathBuf> {
    let _alone = alone(project).await?;
    let folder = fresh(project)?;
    write::<JavaScript>(&folder.join("javascript"), |path| path.starts_with("src/") || path == "componentize.mjs")?;
    let here = project.folder.canonicalize().with_context(|| format!("cannot find {}", project.folder.display()))?;
    let missing: Vec<String> = NPM_PACKAGES
        .into_iter()
        .filter(|name| !here.ancestors().any(|above| above.join("node_modules").join(name).is_dir()))
        .map(|name| Ok(format!("{name}@{}", npm_version(name)?)))
        .collect::<anyhow::Result<_>>()?;
    if !missing.is_empty() {
        bail!(
            "{} is built with packages of npm that are not there: `npm install --save-dev {}` in {}, then `codenode build` again",
            main.display(),
            missing.join(" "),
            project.folder.display()
        );
    }
    let (artifact, main) = (artifact(project), main.to_string_lossy());
    let [builder, sdk] = ["componentize.mjs", "src/component.ts"].map(|file| format!("{FOLDER}/javascript/{file}"));
    let wit = format!("{FOLDER}/wit");
    let build = ["node", &builder, &main, "--sdk", &sdk, "--wit", &wit, "--output", &artifact];
    let built = command::run(&build, &project.folder, Output::Shown, usual_deadline()).await?;
    if !built.succeeded {
        return Err(Refused(format!("{main} cannot be built; what is wrong with it is above")).into());
    }
    Ok(project.path(artifact))
}

/// Waits for whoever else builds this project. It is not alone any more when the file is dropped.
async fn alone(project: &Project) -> anyhow::Result<File> {
    let place = project.path(LOCK);
    let above = place.parent().unwrap_or(&project.folder);
    fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.display()))?;
    let started = Instant::now();
    let mut has_said_so = false;
    loop {
        if let Some(lock) = try_lock(&place)? {
            return Ok(lock);
        }
        if started.elapsed() > usual_deadline() {
            bail!("another codenode has been building this project for a long time: see why it hangs, and end it");
        }
        if !has_said_so {
            eprintln!("another codenode builds this project: waiting for it");
            has_said_so = true;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// The folder of a build, with the contract in it.
fn fresh(project: &Project) -> anyhow::Result<PathBuf> {
    let folder = project.path(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    write::<Contract>(&folder.join("wit"), |_| true)?;
    Ok(folder)
}

fn artifact(project: &Project) -> String {
    format!("{FOLDER}/{}.wasm", project.manifest.name)
}

/// The folder of the author's packages, if there are any.
async fn packages(project: &Project) -> anyhow::Result<Option<&'static str>> {
    let wanted = match fs::read(project.path(REQUIREMENTS)) {
        Ok(wanted) => wanted,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {REQUIREMENTS}")),
    };
    let (folder, installed) = (project.path(PACKAGES), project.path(PACKAGES).join(REQUIREMENTS));
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(Some(PACKAGES));
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let install = "python3 -m pip install --quiet --disable-pip-version-check --no-compile --only-binary=:all: --platform any --implementation py \
                   --abi none --target";
    let install: Vec<&str> = install.split(' ').filter(|word| !word.is_empty()).collect();
    let install = [install.as_slice(), &[PACKAGES, "--requirement", REQUIREMENTS]].concat();
    let ran = command::run(&install, &project.folder, Output::Shown, usual_deadline()).await?;
    if !ran.succeeded {
        return Err(Refused(format!(
            "pip cannot install what {REQUIREMENTS} asks for; what it says is above. Only packages of pure Python can be taken into a component"
        ))
        .into());
    }
    fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(Some(PACKAGES))
}

fn npm_version(name: &str) -> anyhow::Result<String> {
    let manifest = JavaScript::get("package.json").context("the SDK's package.json is not in this program")?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest.data)?;
    let version = manifest.pointer(&format!("/dependencies/{name}")).and_then(serde_json::Value::as_str);
    version.map(str::to_owned).with_context(|| format!("the SDK's package.json has no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_in_the_sdks_own_versions() {
        for name in NPM_PACKAGES {
            assert!(npm_version(name).unwrap().starts_with(|first: char| first.is_ascii_digit()), "{name}");
        }
    }
}
