//! `codenode serve` as an operator starts it, on ports of its own choosing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use server::signature::{Scheme, Secret, sign};
use tempfile::TempDir;

use super::http::{self, Answer};

pub(super) const CODENODE: &str = env!("CARGO_BIN_EXE_codenode");
pub(super) const SECRET: &str = "a secret that only tests know";
pub(super) const TOKEN: &str = "a-token-that-only-tests-know";

/// Long enough for a server to start and compile its nodes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A guest that `cargo xtask guests` built.
pub(super) fn guest(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests").join(name).with_extension("wasm");
    assert!(path.is_file(), "{} is missing: run `cargo xtask guests`", path.display());
    path
}

/// An event of `tests/fixtures/events`.
pub(super) fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/events").join(name)).unwrap()
}

/// An event whose only entity is `name`.
pub(super) fn event(name: &str, value: &str) -> Vec<u8> {
    event_of(&[(name, value)])
}

/// An event with these entities.
pub(super) fn event_of(entities: &[(&str, &str)]) -> Vec<u8> {
    let entity = |value| json!([{ "detection": "message", "original_text": value, "entity_value": value }]);
    let entities: BTreeMap<_, _> = entities.iter().map(|(name, value)| (name, entity(value))).collect();
    let user = json!({ "user_name": "u1", "full_name": "", "device_platform": 5 });
    json!({ "node": "N", "event": "API_INTEGRATION", "user": user, "entities": entities }).to_string().into_bytes()
}

/// A running server; killed when dropped, if it has not ended by then.
pub(super) struct Server {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub(super) folder: TempDir,
    pub(super) front_door: SocketAddr,
    pub(super) management: SocketAddr,
}

impl Server {
    /// Starts with this configuration, ports and token added. Artifacts are named relative to the folder.
    pub(super) fn start(nodes: &str) -> Self {
        Self::start_with("", nodes)
    }

    /// The same, with more keys for `[front_door]`, other sections following them in `nodes`.
    pub(super) fn start_with(front_door: &str, nodes: &str) -> Self {
        Self::start_by(Command::new(CODENODE), front_door, nodes)
    }

    /// The same, by a command to which codenode's own arguments are added.
    pub(super) fn start_by(command: Command, front_door: &str, nodes: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("codenode.toml"), config(front_door, nodes)).unwrap();
        Self::start_in(folder, command)
    }

    /// Kills it as a power cut would, and starts it again on what it has left.
    pub(super) fn kill_and_start_again(self) -> Self {
        Self::start_again_in(self.kill())
    }

    /// Starts on what another one has left.
    pub(super) fn start_again_in(folder: TempDir) -> Self {
        Self::start_in(folder, Command::new(CODENODE))
    }

    /// Kills it as a power cut would, and returns the folder that it has left.
    pub(super) fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, TempDir::new().unwrap())
    }

    /// Has it end by itself, and returns the folder that it has left.
    pub(super) fn stop(mut self) -> TempDir {
        self.signal(Signal::TERM);
        let folder = std::mem::replace(&mut self.folder, TempDir::new().unwrap());
        assert!(self.wait().success());
        folder
    }

    /// Starts on what is in a folder, by a command to which codenode's own arguments are added.
    pub(super) fn start_in(folder: TempDir, mut command: Command) -> Self {
        let mut child = command
            .args(["serve", "--config", "codenode.toml"])
            .current_dir(folder.path())
            .env("CODENODE_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (stderr, lines) = (child.stderr.take().unwrap(), Arc::clone(&log));
        thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| lines.lock().unwrap().push(line));
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self { child, log, folder, front_door: nowhere, management: nowhere };
        let listening = server.wait_for_log("listening");
        server.front_door = listening["front_door"].as_str().unwrap().parse().unwrap();
        server.management = listening["management"].as_str().unwrap().parse().unwrap();
        server
    }

    /// A server whose nodes are these example guests, each under its own name, all with [`SECRET`].
    pub(super) fn with_guests(names: &[&str]) -> Self {
        Self::start(&names.iter().map(|name| node(name, name, "")).collect::<String>())
    }

    /// The first log line with this message, waiting for it.
    pub(super) fn wait_for_log(&self, message: &str) -> Value {
        self.wait_for(&format!("the log line `{message}`"), || self.log_lines(message).into_iter().next())
    }

    /// The log lines with this message so far.
    pub(super) fn log_lines(&self, message: &str) -> Vec<Value> {
        let lines = self.log.lock().unwrap();
        let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        parsed.filter(|line| line["message"].as_str().is_some_and(|text| text.contains(message))).collect()
    }

    /// Asks until there is an answer.
    pub(super) fn wait_for<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            let log = || self.log.lock().unwrap();
            assert!(!self.has_ended(), "the server ended before {what} came; the log: {:#?}", log());
            assert!(started.elapsed() < PATIENCE, "{what} did not come; the log: {:#?}", log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn has_ended(&self) -> bool {
        let state = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        // Behind the name, which is in brackets: `Z` until somebody has waited for it.
        state.is_ok_and(|state| state.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
    }

    /// Posts an event to a node of the tenant `acme`, signed as GitHub does.
    pub(super) fn send(&self, node: &str, event: &[u8]) -> Answer {
        self.send_to("acme", node, event)
    }

    /// The same for any tenant.
    pub(super) fn send_to(&self, tenant: &str, node: &str, event: &[u8]) -> Answer {
        let signed = signed(Scheme::Sha256, event);
        let headers: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post_to(tenant, node, &headers, event)
    }

    /// Posts to a node of `acme` with these headers and a JSON content type.
    pub(super) fn post(&self, node: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.post_to("acme", node, headers, body)
    }

    fn post_to(&self, tenant: &str, node: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        let request = http::post(&format!("/hooks/{tenant}/{node}"), &headers, body);
        http::exchange(self.front_door, &request).expect("an answer")
    }

    /// What the management side wants to see.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {TOKEN}")
    }

    /// A GET of the management side, with its token.
    pub(super) fn manage(&self, path: &str) -> Answer {
        let token = self.authorization();
        http::exchange(self.management, &http::get(path, &[("authorization", &token)])).expect("an answer")
    }

    /// A request to the management side, with its token; a body of JSON.
    pub(super) fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let token = self.authorization();
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        http::exchange(self.management, &http::request(method, path, &headers, body)).expect("an answer")
    }

    /// The same, which must go well.
    pub(super) fn change(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(method, path, body.to_string().as_bytes());
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
        answer.json()
    }

    /// The value of a series of its metrics now, 0 where it is not there.
    pub(super) fn metric(&self, series: &str) -> f64 {
        value(&self.manage("/metrics").body, series)
    }

    /// The record of the run that an answer names, once it is written.
    pub(super) fn record(&self, answer: &Answer) -> Value {
        let path = format!("/v1/runs/{}", answer.header("x-codenode-run").expect("a run"));
        self.wait_for("the run's record", || Some(self.manage(&path)).filter(|record| record.status == 200)).json()
    }

    /// Records so far, newest first.
    pub(super) fn records(&self) -> Vec<Value> {
        self.manage("/v1/runs?limit=100").json()["runs"].as_array().unwrap().clone()
    }

    pub(super) fn rewrite_config(&self, nodes: &str) {
        fs::write(self.folder.path().join("codenode.toml"), config("", nodes)).unwrap();
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the process to end by itself.
    pub(super) fn wait(mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None => assert!(started.elapsed() < PATIENCE, "the server did not end"),
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The process's number, which it has until it ends.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The processes that it started and that are there still, once they are programs of their own: until then the server waits for them.
    pub(super) fn children(&self) -> Vec<Pid> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let children = threads.filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("children")).ok());
        let children: Vec<String> = children.collect();
        let numbers = children.iter().flat_map(|line| line.split_whitespace());
        let own = fs::read(format!("/proc/{}/cmdline", self.child.id())).unwrap();
        let started =
            numbers.filter(|number| fs::read(format!("/proc/{number}/cmdline")).is_ok_and(|line| line != own));
        started.filter_map(|number| Pid::from_raw(number.parse().unwrap())).collect()
    }

    /// The process's open descriptors but for those of the database, whose pool opens connections when it likes and keeps them for minutes.
    pub(super) fn descriptors(&self) -> usize {
        self.open_files().len()
    }

    /// Waits until no more descriptors are open than these.
    pub(super) fn wait_for_descriptors(&self, most: usize) {
        let started = Instant::now();
        while self.descriptors() > most {
            assert!(started.elapsed() < PATIENCE, "more than {most} descriptors: {:#?}", self.open_files());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn open_files(&self) -> Vec<PathBuf> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        // One that is closed while we look is not open.
        let files = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        files.filter(|file| !file.to_string_lossy().contains("codenode.db")).collect()
    }

    /// The process's resident memory in bytes.
    pub(super) fn resident_bytes(&self) -> u64 {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }

    /// The most that it was so far.
    pub(super) fn peak_resident_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// The process's memory that is no file's, in bytes.
    pub(super) fn anonymous_bytes(&self) -> u64 {
        self.status_bytes("RssAnon:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(front_door: &str, nodes: &str) -> String {
    format!(
        "[front_door]\nlisten = \"127.0.0.1:0\"\n{front_door}\n[management]\nlisten = \"127.0.0.1:0\"\ntoken = \"{TOKEN}\"\n{nodes}"
    )
}

/// The configuration of one node of the tenant `acme`, with further keys.
pub(super) fn node(name: &str, artifact: &str, keys: &str) -> String {
    let artifact = guest(artifact);
    format!(
        "[tenants.acme.nodes.{name}]\nartifact = {:?}\nsecrets = [{SECRET:?}]\n{keys}\n",
        artifact.display().to_string()
    )
}

/// The same node for another tenant.
pub(super) fn node_of(tenant: &str, artifact: &str, keys: &str) -> String {
    node(artifact, artifact, keys).replace("tenants.acme.", &format!("tenants.{tenant}."))
}

/// The value of a series of a page of metrics, 0 where it is not there.
pub(super) fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

/// The headers that sign a body with [`SECRET`].
pub(super) fn signed(scheme: Scheme, body: &[u8]) -> Vec<(String, String)> {
    let secret = Secret::new(SECRET).unwrap();
    let headers = sign(scheme, &secret, body, "msg_1", std::time::SystemTime::now()).unwrap();
    headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}
