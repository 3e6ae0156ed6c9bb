//! A PostgreSQL of our own: a cluster in a folder that is thrown away, on a port of this machine only.

use std::cmp::Reverse;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Signal, geteuid};

use super::scratch::Scratch;
use super::server::{Plan, Server};
use crate::leash::User;
use crate::program::Program;
use crate::toolchains;

/// The owner of the cluster, whom the tests come as.
const OWNER: &str = "codenode";
/// Several test programs, each with pools for several servers.
const CONNECTIONS: u16 = 200;
const START_TIME: Duration = Duration::from_secs(30);
/// What we need of PostgreSQL. They stand in one folder, and what Debian has in the path is not always them.
const PROGRAMS: [&str; 3] = ["initdb", "postgres", "pg_isready"];
/// Here Debian has a folder for each version.
const DEBIANS_FOLDER: &str = "/usr/lib/postgresql";

/// Installs PostgreSQL where that is ours to do.
pub(super) fn ensure() -> anyhow::Result<()> {
    toolchains::ensure("PostgreSQL", &["postgresql"], || programs().is_some())?;
    if let Some(programs) = programs() {
        println!("  {} is there", programs.join("postgres").display());
    }
    Ok(())
}

/// Makes a cluster and starts it.
pub(super) fn start(scratch: &Scratch) -> anyhow::Result<Server> {
    let programs = programs().context("PostgreSQL is missing: type `cargo xtask services` to set it up")?;
    let (folder, user) = (scratch.path(), user()?);
    let cluster = folder.join("postgres");
    make_cluster(&programs, &cluster, scratch, user)?;
    let plan = Plan {
        name: "PostgreSQL",
        program: |port| server(&programs, &cluster, folder, port).run_by(user),
        answers: |port| is_ready(&programs, folder, port),
        // Its fast shutdown. With SIGTERM it would wait for tests that hang.
        stop_signal: Signal::INT,
        start_time: START_TIME,
    };
    plan.start(scratch)
}

pub(super) fn url(port: u16) -> String {
    format!("postgres://{OWNER}@127.0.0.1:{port}/postgres")
}

/// Everybody on this machine may enter: there is nothing in it but what tests write.
fn make_cluster(programs: &Path, cluster: &Path, scratch: &Scratch, user: Option<User>) -> anyhow::Result<()> {
    let folder = scratch.path();
    if let Some(User { uid, gid }) = user {
        chown(folder, Some(uid), Some(gid)).with_context(|| format!("cannot give {} away", folder.display()))?;
    }
    let initdb = Program::new(programs.join("initdb"))
        .arg("--pgdata")
        .arg(cluster)
        .args(["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"])
        // Nobody comes back to it after the machine has crashed.
        .arg("--no-sync")
        .args(["--username", OWNER])
        .within(folder)
        .run_by(user);
    println!("  $ {initdb}");
    initdb.read_beside(scratch.hold()?).map(drop).with_context(|| {
        let whose = if user.is_some() { ", one that the user `postgres` can enter" } else { "" };
        format!("cannot make a cluster in {} (TMPDIR names another place{whose})", folder.display())
    })
}

fn server(programs: &Path, cluster: &Path, sockets: &Path, port: u16) -> Program {
    Program::new(programs.join("postgres"))
        .arg("-D")
        .arg(cluster)
        .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")])
        .args(["-c", &format!("unix_socket_directories={}", sockets.display())])
        .args(["-c", &format!("max_connections={CONNECTIONS}")])
        .within(sockets)
}

/// Asks through the socket in our folder, behind which is no other server; it opens after the port.
fn is_ready(programs: &Path, sockets: &Path, port: u16) -> bool {
    Program::new(programs.join("pg_isready"))
        .args(["--quiet", "--timeout=1", "--dbname=postgres", "--username", OWNER])
        .args(["--port", &port.to_string(), "--host"])
        .arg(sockets)
        .ask()
        .is_ok_and(|output| output.status.success())
}

/// Who runs the server: root must not, and Debian's package brings a user for it.
fn user() -> anyhow::Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let id = |which| -> anyhow::Result<u32> {
        let said = Program::new("id").args([which, "postgres"]).read().context(
            "PostgreSQL does not run as root, and there is no user `postgres`: \
             type `useradd --system --user-group postgres`, then try again",
        )?;
        said.trim().parse().with_context(|| format!("`id {which} postgres` said `{}`", said.trim()))
    };
    Ok(Some(User { uid: id("-u")?, gid: id("-g")? }))
}

/// The folder that has the programs: that of the `initdb` in the path, or the newest of Debian's.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).filter_map(|folder| {
        // A link leads to the others.
        Some(folder.join("initdb").canonicalize().ok()?.parent()?.to_owned())
    });
    let is_complete = |folder: &PathBuf| PROGRAMS.iter().all(|program| folder.join(program).is_file());
    in_path.chain(debians()).find(is_complete)
}

/// Debian's folders of programs, the newest version first.
fn debians() -> Vec<PathBuf> {
    let versions = fs::read_dir(DEBIANS_FOLDER).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut versions: Vec<PathBuf> = versions.collect();
    versions.sort_by_key(|folder| Reverse(version(folder)));
    versions.iter().map(|folder| folder.join("bin")).collect()
}

/// `/usr/lib/postgresql/9.6` is older than `/usr/lib/postgresql/15`.
fn version(folder: &Path) -> Vec<u32> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_by_its_numbers() {
        assert!(version(Path::new("/usr/lib/postgresql/15")) > version(Path::new("/usr/lib/postgresql/9.6")));
    }
}
