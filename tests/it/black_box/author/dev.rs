//! `codenode dev`: a change is built, tried and served while its author looks on.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::super::server::CODENODE;
use super::super::service::{Service, response};
use super::{Author, Project, patiently};

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
            .envs(project.author.shell.environment.iter().map(|(name, value)| (name, value)))
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
        patiently(look).unwrap_or_else(|| panic!("no `{what}`: {}", self.said()))
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
        let ended = patiently(|| self.child.try_wait().unwrap());
        ended.unwrap_or_else(|| panic!("it does not end: {}", self.said()))
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

/// Everything that a project can be given, from files in a folder of their own.
const GIVEN: &str = r#"
name = "hello"
grants = ["config", "secret:crm_key", "secret:sms_key", "connection:crm", "kv:messages"]
private_networks = ["127.0.0.0/8"]
config = "given/config.toml"
connections = "given/connections.toml"
messages = "given/messages.csv"
"#;

/// Needs all of it for its reply.
const NEEDY: &str = r#"
import requests
from codenode import config, messages


def handle(event):
    keys = {"x-crm-key": config.text("crm_key"), "x-sms-key": config.text("sms_key")}
    try:
        lead = requests.get(config.text("crm_url") + "/lead", headers=keys, timeout=5)
        return {"response": [messages.text("lead") + " " + lead.text]}
    except messages.Missing:
        return {"response": ["nothing to say"]}
    except requests.RequestException as error:
        return {"response": [f"no lead: {error}"]}
"#;

/// A service that says `warm` to whoever has all three keys.
fn crm() -> Service {
    Service::http(|request| {
        let keys = ["authorization", "x-crm-key", "x-sms-key"].map(|name| request.header(name).unwrap_or_default());
        let is_known = keys == ["Bearer of the connection", "file:of variables", "kept in a file"];
        response(200, "", if is_known { b"warm" } else { b"unknown" })
    })
}

#[test]
fn a_project_is_given_the_same_by_its_webhook_as_for_its_events() {
    let mut author = Author::new();
    author.shell = author.shell.with("CRM_KEY", "file:of variables");
    let project = author.project("hello", "python", "minimal");
    let service = crm();
    fs::remove_file(project.path("events/somebody.json")).unwrap();
    fs::remove_file(project.path("events/somebody.reply.json")).unwrap();
    fs::create_dir(project.path("given")).unwrap();
    let connection = |name: &str| {
        let settings = format!("{{ origin = \"{}\", credential = {{ kind = \"bearer\" }} }}", service.url(""));
        project.write(
            "given/connections.toml",
            &format!("{name} = {{ settings = {settings}, secret = \"of the connection\" }}\n"),
        );
    };
    let message = |text: &str| project.write("given/messages.csv", &format!("key,language,text\nlead,,{text}\n"));
    let references = "crm_key = \"env:CRM_KEY\"\nsms_key = \"file:sms.key\"\n";
    project.write(
        "given/config.toml",
        &format!("config.crm_url = \"{}\"\n[config_secrets]\n{references}", service.url("")),
    );
    project.write("given/sms.key", "kept in a file\n");
    connection("crm");
    message("The lead is");
    project.write("node.toml", GIVEN);
    project.write("main.py", NEEDY);
    project.write("events/asha.reply.json", r#"{"response": ["The lead is warm"]}"#);

    let dev = Dev::start(&project);
    let said = dev.says("1 event is as expected");
    let (webhook, secret) = (told(&said, "webhook  "), told(&said, "secret   "));
    let served = |words: &str| {
        dev.waits(words, || dev.reply(&webhook, &secret).filter(|reply| reply.contains(words)));
    };
    served("The lead is warm");
    message("Your lead is");
    dev.says("1 of 1 is not as expected");
    served("Your lead is warm");
    // What is given no more is gone from the webhook, too.
    connection("erp");
    dev.says("no lead: ");
    served("no lead: ");
    connection("crm");
    served("Your lead is warm");
    project.write("node.toml", &GIVEN.replace("messages = ", "# "));
    dev.says("nothing to say");
    served("nothing to say");
    assert_eq!(dev.ends().code(), Some(0));
}

#[test]
fn what_was_built_before_never_answers_under_new_settings() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    let dev = Dev::start(&project);
    let said = dev.says("2 events are as expected");
    let (webhook, secret) = (told(&said, "webhook  "), told(&said, "secret   "));
    dev.waits("a reply", || dev.reply(&webhook, &secret));
    assert_eq!(dev.ends().code(), Some(0));

    let source = project.read("main.py");
    project.write("main.py", &source.replace("return {", "return = {"));
    project.write("node.toml", "name = \"hello\"\ngrants = [\"kv:node\"]\n");
    let dev = Dev::start(&project);
    let said = dev.says("SyntaxError");
    let webhook = told(&said, "webhook  ");
    assert_eq!(told(&said, "secret   "), secret, "whoever was told it may go on");
    assert_eq!(dev.reply(&webhook, &secret), None);
    project.write("main.py", &source);
    dev.says("2 events are as expected");
    dev.waits("a reply", || dev.reply(&webhook, &secret));
}

#[test]
fn what_a_command_makes_is_served_anew_when_its_sources_change() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    let build = "[build]\ncommand = [\"sh\", \"make.sh\"]\nartifact = \"made.py\"\n";
    project.write("node.toml", &format!("name = \"hello\"\n{build}"));
    project.write("make.sh", "sed s/Hello/Namaste/ main.py > made.py");
    let dev = Dev::start(&project);
    let said = dev.says("1 of 2 is not as expected");
    let (webhook, secret) = (told(&said, "webhook  "), told(&said, "secret   "));
    let served = |words: &str| {
        dev.waits(words, || dev.reply(&webhook, &secret).filter(|reply| reply.contains(words)));
    };
    served("Namaste Asha");
    project.write("make.sh", "sed s/Hello/Welcome/ main.py > made.py");
    assert!(dev.says("1 of 2 is not as expected").contains("make.sh changed"));
    served("Welcome Asha");
    project.write("make.sh", "echo no such thing >&2; exit 1");
    let said = dev.says("`sh make.sh` failed");
    assert!(said.contains("no such thing"), "{said}");
    served("Welcome Asha");
}

#[test]
fn a_project_is_served_once() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    let dev = Dev::start(&project);
    dev.says("2 events are as expected");
    author
        .shell
        .type_in(&project.line("dev", "--port 0"), b"")
        .says_why("another `codenode dev` serves this project: end it");
    assert_eq!(dev.ends().code(), Some(0));
    Dev::start(&project).says("2 events are as expected");
}

#[test]
fn a_taken_port_says_which_flag_takes_another() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let line = project.line("dev", &format!("--port {}", taken.local_addr().unwrap().port()));
    author.shell.type_in(&line, b"").says_why("--port takes another port, or 0 for any that is free");
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
    let process = Path::new("/proc").join(project.read("pid").trim());
    assert_eq!(dev.ends().code(), Some(0));
    patiently(|| (!process.exists()).then_some(())).expect("the end of the build");
}
