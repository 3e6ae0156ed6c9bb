//! A PostgreSQL that a test may stop: beside the one that all tests share, made by the same programs and run by the same user.

use std::fs;
use std::io::{self, PipeWriter};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::{Connection as _, PgConnection, Row as _};
use tempfile::TempDir;

use super::hosts;

/// Not the address that tests listen on and connect from, so that none of them takes the port while nobody listens there.
const ADDRESS: &str = "127.0.0.2";
const OWNER: &str = "codenode";
/// Waits until nobody holds the other end of its input; then it ends the server, if there is one, and removes the folder.
const SWEEP: &str = r#"
    cat > /dev/null
    server="$(head -n 1 "$1/data/postmaster.pid" 2> /dev/null)" && kill -QUIT "$server"
    while [ -n "$server" ] && kill -0 "$server" 2> /dev/null; do sleep 0.1; done
    rm -rf -- "$1"
"#;

/// Goes with its folder when it is dropped, and when the test is killed.
pub(super) struct Cluster {
    programs: PathBuf,
    /// Who runs the server, and the group: root must not.
    user: (u32, u32),
    folder: PathBuf,
    port: u16,
    /// Taken when we are done.
    hold: Option<PipeWriter>,
    sweeper: Child,
}

impl Cluster {
    /// A fresh one that runs.
    pub(super) fn start() -> Self {
        let (programs, data) = programs_and_data();
        let owner =
            fs::metadata(&data).unwrap_or_else(|error| panic!("{} is not on this machine: {error}", data.display()));
        let user = (owner.uid(), owner.gid());
        let folder = TempDir::with_prefix("codenode-cluster-").unwrap().keep();
        let (hold, sweeper) = sweep_after(&folder);
        chown(&folder, Some(user.0), Some(user.1)).unwrap();
        let port = TcpListener::bind((ADDRESS, 0)).unwrap().local_addr().unwrap().port();
        let cluster = Self { programs, user, folder, port, hold: Some(hold), sweeper };
        cluster
            .run("initdb", &["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--username", OWNER]);
        cluster.start_again();
        cluster
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://{OWNER}@{ADDRESS}:{}/postgres", self.port)
    }

    /// Ends it as a crash would: it finishes nothing and tells nobody.
    pub(super) fn crash(&self) {
        self.run("pg_ctl", &["stop", "--mode=immediate", "--wait"]);
    }

    /// Starts it on what the crash has left, and waits until it takes connections.
    pub(super) fn start_again(&self) {
        let Self { folder, port, .. } = self;
        let sockets = folder.display();
        let options = format!("-c listen_addresses={ADDRESS} -c port={port} -c unix_socket_directories={sockets}");
        self.run("pg_ctl", &["start", "--wait", "--silent", "--log", &format!("{sockets}/log"), "--options", &options]);
    }

    /// The program holds the folder until it ends; the server that it may leave behind does not.
    fn run(&self, program: &str, arguments: &[&str]) {
        let status = Command::new(self.programs.join(program))
            .arg("--pgdata")
            .arg(self.folder.join("data"))
            .args(arguments)
            .current_dir(&self.folder)
            .uid(self.user.0)
            .gid(self.user.1)
            .stdin(self.hold.as_ref().unwrap().try_clone().unwrap())
            .stdout(Stdio::null())
            .status();
        let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(status.unwrap().success(), "{program} {arguments:?} failed: {}", log());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.hold.take());
        let _ = self.sweeper.wait();
    }
}

/// Of the cluster that all tests share.
fn programs_and_data() -> (PathBuf, PathBuf) {
    let shared = hosts::service("CODENODE_TEST_POSTGRES");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut shared = PgConnection::connect(&shared).await.unwrap();
        let query = "SELECT setting, current_setting('data_directory') AS data FROM pg_config WHERE name = 'BINDIR'";
        let row = sqlx::query(query).fetch_one(&mut shared).await.unwrap();
        (row.get::<String, _>("setting").into(), row.get::<String, _>("data").into())
    })
}

/// As long as somebody has what is returned, the folder stays.
fn sweep_after(folder: &Path) -> (PipeWriter, Child) {
    let (end, hold) = io::pipe().unwrap();
    let mut sweeper = Command::new("sh");
    // Out of the reach of Ctrl-C.
    sweeper.args(["-c", SWEEP, "sweep"]).arg(folder).stdin(end).stdout(Stdio::null()).process_group(0);
    (hold, sweeper.spawn().unwrap())
}
