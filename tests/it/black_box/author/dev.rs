//! `codenode dev`: a change is built, tried and served while its author looks on.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::super::server::CODENODE;
use super::super::source_nodes;
use super::{Author, Project};

/// Long enough for a server to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `codenode dev`; killed when dropped.
struct Dev<'a> {
    project: &'a Project<'a>,
    child: Child,
    said: Arc<Mutex<String>>,
}

impl<'a> Dev<'a> {
    fn start(project: &'a Project<'a>) -> Self {
        let mut child = Command::new(CODENODE)
            .args(["dev", "--port", "0"])
            .current_dir(&project.folder)
            .env_clear()
            .env("HOME", project.author.shell.home.path())
            .env("PATH", std::env::var("PATH").unwrap())
            .env("CODENODE_CACHE_DIR", source_nodes::cache())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::default();
        listen(child.stdout.take().unwrap(), &said);
        listen(child.stderr.take().unwrap(), &said);
        Self { project, child, said }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits for these words, and forgets all that was said.
    #[track_caller]
    fn says(&self, words: &str) -> String {
        self.waits(words, || self.said().contains(words).then_some(()));
        std::mem::take(&mut *self.said.lock().unwrap())
    }

    #[track_caller]
    fn waits<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "no `{what}`: {}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the bot says to Asha through the webhook; nothing where it is no reply.
    fn reply(&self, webhook: &str, secret: &str) -> Option<String> {
        let event = self.project.path("events/asha.json");
        let line = format!("send {webhook} --secret {secret} --event {} --json", event.display());
        let answer = self.project.author.shell.type_in(&line, b"").json();
        (answer["status"] == 200).then(|| answer["body"]["response"][0].as_str().unwrap().to_owned())
    }

    fn ends(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end: {}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Dev<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(from: impl Read + Send + 'static, said: &Arc<Mutex<String>>) {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    });
}

/// What stands behind a word at the beginning of a line.
fn told(said: &str, word: &str) -> String {
    let line = said.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("no {word}: {said}")).trim().to_owned()
}

#[test]
fn a_change_comes_through_the_webhook_without_a_restart() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    let dev = Dev::start(&project);
    let said = dev.says("2 events are as expected");
    let (webhook, secret) = (told(&said, "webhook  "), told(&said, "secret   "));
    assert!(said.contains("Hello Asha") && said.contains("codenode send "), "{said}");
    let served = |words: &str| {
        dev.waits(words, || dev.reply(&webhook, &secret).filter(|reply| reply.contains(words)));
    };
    served("Hello Asha");

    let source = project.read("main.py");
    project.write("main.py", &source.replace("Hello", "Welcome"));
    let said = dev.says("2 of 2 are not as expected");
    assert!(said.contains("main.py changed") && said.contains("+     \"Welcome Asha, what"), "{said}");
    served("Welcome Asha");

    project.write("main.py", &source.replace("return {", "return = {"));
    let said = dev.says("SyntaxError");
    assert!(said.contains("main.py:7"), "{said}");
    assert!(dev.reply(&webhook, &secret).unwrap().contains("Welcome Asha"), "what was right goes on");
    project.write("main.py", &source);
    dev.says("2 events are as expected");
    served("Hello Asha");

    project.write("events/asha.reply.json", r#"{"response": ["Hi"]}"#);
    assert!(dev.says("1 of 2 is not as expected").contains("asha.reply.json changed"));
    project.write("node.toml", "name = \"hello\"\ngrant = []\n");
    dev.says("node.toml:2: unknown field `grant`");
    assert_eq!(dev.ends().code(), Some(0));
}

#[test]
fn a_build_that_hangs_is_over_at_its_deadline_and_at_the_end() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    let manifest = |deadline: &str| {
        let build =
            format!("[build]\ncommand = [\"sh\", \"make.sh\"]\nartifact = \"made.py\"\ndeadline = \"{deadline}\"\n");
        project.write("node.toml", &format!("name = \"hello\"\n{build}"));
    };
    manifest("1s");
    project.write("make.sh", "echo begun >&2; sleep 600");
    let dev = Dev::start(&project);
    dev.says("has not ended within 1s");
    project.write("make.sh", "cp main.py made.py");
    dev.says("2 events are as expected");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(dev.said(), "", "what a build makes is no change");
    project.write("make.sh", "echo $$ > pid; echo begun >&2; exec sleep 600");
    manifest("10m");
    dev.waits("a build", || fs::read_to_string(project.path("pid")).ok().filter(|pid| !pid.trim().is_empty()));
    let pid: i32 = project.read("pid").trim().parse().unwrap();
    assert_eq!(dev.ends().code(), Some(0));
    let is_gone = || !std::path::Path::new(&format!("/proc/{pid}")).exists();
    let started = Instant::now();
    while !is_gone() {
        assert!(started.elapsed() < PATIENCE, "the build goes on");
        thread::sleep(Duration::from_millis(50));
    }
}
