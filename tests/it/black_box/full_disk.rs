//! A disk that fills up under a whole server: what is live goes on, changes are refused as a whole, and room is all that it takes to mend it.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::hosts::{NODE, deploy};
use super::http::{self, Answer};
use super::server::{CODENODE, Server, event, guest};
use super::shell::Shell;

/// On a small disk of its own.
const ON_A_SMALL_DISK: &str = r#"mkdir data && mount -t tmpfs -o size=24m tmpfs data && exec "$0" "$@""#;
/// What lets somebody mount: being root, or else being root in a namespace of one's own, which takes no rights where it is allowed at all.
const NAMESPACES: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
const STORAGE: &str = "[storage]\ndirectory = \"data\"\n";
/// The database has some room left in its files; it takes fewer changes than these.
const CHANGES: usize = 500;

/// The compiled code is on the same disk, or on another.
fn start(cache: &str) -> Server {
    let mut command = Command::new("unshare");
    command.args(namespace()).args(["sh", "-c", ON_A_SMALL_DISK, CODENODE]);
    Server::start_by(command, "", &format!("{STORAGE}[sandbox]\ncache_directory = {cache:?}\n"))
}

fn namespace() -> &'static [&'static str] {
    let may_mount = |namespace: &&[&str]| {
        let mount = ["mount", "-t", "tmpfs", "tmpfs", "/tmp"];
        Command::new("unshare").args(*namespace).args(mount).output().is_ok_and(|done| done.status.success())
    };
    let found = NAMESPACES.into_iter().find(may_mount);
    found.expect("a small disk takes root, or user namespaces: see CONTRIBUTING.md")
}

/// What fills the disk, as it is seen from outside.
fn ballast(server: &Server) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", server.id()));
    root.join(server.folder.path().strip_prefix("/").unwrap()).join("data/ballast")
}

fn fill(server: &Server) {
    let mut ballast = OpenOptions::new().create(true).append(true).open(ballast(server)).unwrap();
    let full = loop {
        if let Err(error) = ballast.write_all(&[0; 4 << 10]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::StorageFull);
}

/// Whether it was done; where it was not, it was for the disk.
fn is_done(answer: &Answer) -> bool {
    if (200..300).contains(&answer.status) {
        return true;
    }
    let problem = answer.json();
    assert_eq!((answer.status, &problem["type"]), (507, &json!("urn:codenode:problem:storage-full")), "{problem}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(problem["detail"].as_str().unwrap().contains("make room"), "{problem}");
    false
}

fn ids(listed: &Value) -> Vec<&str> {
    listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

fn ask(server: &Server) -> Answer {
    server.send("N", &event("product_name", "speaker"))
}

#[test]
fn on_a_full_disk_events_are_answered_and_changes_refused_until_there_is_room() {
    fill_and_make_room(&start("cache"));
}

#[test]
fn the_same_goes_where_the_compiled_code_is_on_the_full_disk_too() {
    fill_and_make_room(&start("data/cache"));
}

fn fill_and_make_room(server: &Server) {
    deploy(server, &["product-price", "order-status"]);
    let (upload, secrets) = (fs::read(guest("appointment")).unwrap(), format!("{NODE}/secrets"));
    let uploads = || server.ask("POST", "/v1/tenants/acme/artifacts", &upload);
    let artifacts = || server.manage("/v1/tenants/acme/artifacts").json()["artifacts"].as_array().unwrap().len();
    let mut runs = Vec::new();
    let mut answers = || {
        let answer = ask(server);
        assert_eq!(answer.status, 200, "{}", answer.body);
        runs.push(answer.header("x-codenode-run").unwrap().to_owned());
    };

    fill(server);
    assert!(!is_done(&uploads()));
    assert_eq!(artifacts(), 2);
    let mut tenants = vec!["acme".to_owned()];
    for number in 0..CHANGES {
        answers();
        let id = format!("t{number}");
        if !is_done(&server.ask("POST", "/v1/tenants", json!({ "id": id }).to_string().as_bytes())) {
            break;
        }
        tenants.push(id);
    }
    assert!(tenants.len() < CHANGES, "the disk is not full");
    assert_eq!(ids(&server.manage("/v1/tenants").json()["tenants"]), tenants);
    let secret = json!({ "secret": "another secret that only tests know", "retire_older_in": "24h" });
    let added = is_done(&server.ask("POST", &secrets, secret.to_string().as_bytes()));
    let promoted =
        is_done(&server.ask("POST", &format!("{NODE}/promote"), json!({ "revision": 2 }).to_string().as_bytes()));
    assert_eq!(server.manage(&secrets).json()["secrets"].as_array().unwrap().len(), 1 + usize::from(added));
    assert_eq!(server.manage(NODE).json()["live"], json!(1 + u32::from(promoted)));
    let shell = Shell::of(server);
    let line = format!("deploy {} --node N", guest("appointment").display());
    shell.type_in(&line, b"").says_why("the disk of the server's storage is full");
    assert_eq!(artifacts(), 2);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(http::exchange(server.management, &http::get(path, &[])).unwrap().status, 200, "{path}");
    }
    // By then records have waited for the disk, too.
    thread::sleep(Duration::from_secs(2));
    answers();

    fs::remove_file(ballast(server)).unwrap();
    shell.does(&line);
    assert_eq!(artifacts(), 3);
    if !added {
        server.change("POST", &secrets, &secret);
    }
    server.change("POST", "/v1/tenants", &json!({ "id": "globex" }));
    for run in runs {
        server.wait_for("the run's record", || (server.manage(&format!("/v1/runs/{run}")).status == 200).then_some(()));
    }
}
