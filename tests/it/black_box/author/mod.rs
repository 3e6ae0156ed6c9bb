//! The author's loop, as an author goes through it: new, build, test, dev, and the first mistakes.

mod components;
mod deploy;
mod dev;
mod events;
mod given;
mod mistakes;
mod signals;
mod templates;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::shell::Shell;
use super::source_nodes;

/// Somebody at a shell who writes handlers.
struct Author {
    shell: Shell,
    /// Held by whoever builds crates: all do so in one folder, under one name.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Author {
    /// Whose machine has what runs sources.
    fn new() -> Self {
        Self { shell: Shell::new().with("CODENODE_CACHE_DIR", source_nodes::cache()), _turn: None }
    }

    /// Whose machine has Rust, too.
    fn with_rust() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("author");
        let mut shell = Self::new().shell.with("CARGO_TARGET_DIR", target.to_str().unwrap());
        let home = PathBuf::from(env::var("HOME").unwrap_or_default());
        let of_home = |name: &str| home.join(name).to_str().unwrap().to_owned();
        let usual = [("PATH", String::new()), ("CARGO_HOME", of_home(".cargo")), ("RUSTUP_HOME", of_home(".rustup"))];
        for (name, usual) in usual.into_iter().chain([("RUSTUP_TOOLCHAIN", String::new())]) {
            let value = env::var(name).unwrap_or(usual);
            if !value.is_empty() {
                shell = shell.with(name, &value);
            }
        }
        Self { shell, _turn: Some(turn) }
    }

    /// A fresh project from a template.
    fn project(&self, name: &str, language: &str, template: &str) -> Project<'_> {
        let folder = self.shell.home.path().join(name);
        let made = self.shell.does(&format!("new {} --lang {language} --template {template}", folder.display()));
        assert!(made.contains("codenode test"), "{made}");
        if language == "rust" {
            // The versions that we build with ourselves are on this machine.
            let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
            fs::copy(lock, folder.join("Cargo.lock")).unwrap();
        }
        Project { author: self, folder }
    }
}

/// A folder that `codenode new` made.
struct Project<'a> {
    author: &'a Author,
    folder: PathBuf,
}

impl Project<'_> {
    fn path(&self, below: &str) -> PathBuf {
        self.folder.join(below)
    }

    fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).unwrap();
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap()
    }

    /// The line of a command on this project.
    fn line(&self, command: &str, flags: &str) -> String {
        format!("{command} {} {flags}", self.folder.display())
    }

    fn does(&self, command: &str, flags: &str) -> String {
        self.author.shell.does(&self.line(command, flags))
    }

    /// A command that finds something wrong with the author's work, and what it says to both outputs.
    #[track_caller]
    fn fails(&self, command: &str, flags: &str) -> String {
        let done = self.author.shell.type_in(&self.line(command, flags), b"").exits(1);
        done.out() + &done.err()
    }
}

/// Long enough for a build or a server on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks again and again until there is something to see; `None` where there never is.
fn patiently<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return Some(found);
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}
