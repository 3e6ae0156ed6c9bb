//! What `codenode new` writes is right as it is.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::server::{event, event_of};
use super::super::service::{Service, response};
use super::super::source_nodes;
use super::components::TOOLS;
use super::{Author, Project};

const TEMPLATES: [&str; 4] = ["minimal", "api-call", "otp", "cards"];

/// Languages whose handlers are kept as they are written.
const SOURCES: [&str; 3] = ["python", "javascript", "typescript"];

/// Builds and tests it, and says so itself.
fn is_right(project: &Project<'_>) {
    let built = project.does("build", "");
    assert!(built.contains("artifact  ") && built.contains("kind      "), "{built}");
    let tested = project.does("test", "");
    assert!(tested.contains("events are as expected") && !tested.contains("FAILED"), "{tested}");
}

#[test]
fn every_template_that_is_a_source_is_right_as_it_is() {
    let author = Author::new();
    for language in SOURCES {
        for template in TEMPLATES {
            is_right(&author.project(&format!("{language}-{template}"), language, template));
        }
    }
}

/// What `tsc` says of a project, if anything is wrong with its types.
fn checked(project: &Project<'_>) -> Option<String> {
    let tsc = Path::new(TOOLS).join("javascript-sdk/node_modules/.bin/tsc");
    let checked = Command::new(tsc).arg("--project").arg(&project.folder).output().unwrap();
    (!checked.status.success()).then(|| String::from_utf8(checked.stdout).unwrap())
}

#[test]
fn the_types_of_every_template_in_typescript_are_right() {
    let author = Author::new();
    for template in TEMPLATES {
        let project = author.project(&format!("typed-{template}"), "typescript", template);
        assert_eq!(checked(&project), None, "{template}");
        let wrong = project.read("main.ts").replace("new Reply(", "new Reply(7, ");
        project.write("main.ts", &wrong);
        let said = checked(&project).expect("a problem");
        assert!(said.contains("main.ts") && said.contains("error TS"), "{said}");
    }
}

#[test]
fn every_template_in_rust_is_right_as_it_is_outside_of_our_workspace() {
    let author = Author::with_rust();
    for template in TEMPLATES {
        is_right(&author.project(&format!("rust-{template}"), "rust", template));
    }
}

/// What compiled code is kept as, by name: each with its label, and so whole.
fn kept(cache: &Path) -> BTreeSet<PathBuf> {
    let below = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = below(cache).filter(|path| path.is_dir()).flat_map(|engine| below(&engine));
    files.filter(|file| file.extension().is_some_and(|ending| ending == "json")).collect()
}

/// The cache of all these tests as it is now, for one alone.
fn own_cache() -> TempDir {
    let (all, own) = (Path::new(source_nodes::cache()), TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    for label in kept(all) {
        for file in [label.with_extension("cwasm"), label] {
            let place = own.path().join(file.strip_prefix(all).unwrap());
            DirBuilder::new().recursive(true).mode(0o700).create(place.parent().unwrap()).unwrap();
            fs::hard_link(&file, place).unwrap();
        }
    }
    own
}

#[test]
fn the_first_reply_takes_no_compiler_and_no_other_program() {
    let cache = own_cache();
    let mut author = Author::new();
    author.shell = author.shell.with("CODENODE_CACHE_DIR", cache.path().to_str().unwrap()).with("PATH", "/nowhere");
    let project = author.project("hello", "python", "minimal");
    project.write("main.py", &format!("# Nobody has run this before.\n{}", project.read("main.py")));
    let before = kept(cache.path());
    assert!(project.does("test", "").contains("2 events are as expected"));
    // What the runner's interpreter makes of the source. The runner itself is compiled, as it is behind the first use.
    let after = kept(cache.path());
    assert_eq!(after.difference(&before).count(), 1, "{before:?} {after:?}");
    project.does("test", "");
    assert_eq!(kept(cache.path()), after, "the second time there is nothing to make");
}

#[test]
fn nothing_is_overwritten_and_a_bad_name_says_what_a_good_one_is() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    project.write("main.py", "mine");
    author.shell.type_in(&project.line("new", "--lang javascript"), b"").says_why("nothing is overwritten");
    assert_eq!(project.read("main.py"), "mine");
    assert!(!project.path("main.js").exists());
    let bad = author.shell.home.path().join("7up");
    author.shell.type_in(&format!("new {} --lang python", bad.display()), b"").says_why("as in order-status");
    assert!(!bad.exists());
}

/// The JSON of a run of the project's handler with a service that is there.
fn run(project: &Project<'_>, service: &Service, config: &str, event: &[u8]) -> Value {
    let (file, address) = (project.path("local.toml"), service.address);
    fs::write(&file, config).unwrap();
    let handler = ["main.py", "main.js", "main.ts"].into_iter().find(|name| project.path(name).exists()).unwrap();
    let (file, entries) = (file.display(), project.path("entries"));
    let flags = format!(
        "--config {file} --grant config --grant kv:node --grant http:http://{address} --private-network 127.0.0.0/8"
    );
    let line =
        format!("run {} --event - --json {flags} --entries {}", project.path(handler).display(), entries.display());
    project.author.shell.type_in(&line, event).exits(0).json()
}

#[test]
fn the_api_call_tells_what_a_real_service_says() {
    let author = Author::new();
    let service = Service::http(|request| {
        let is_known = request.head.starts_with("GET /orders?id=71 ");
        let (status, body) = if is_known { (200, r#"{"state":"packed"}"#) } else { (404, "{}") };
        response(status, "content-type: application/json\r\n", body.as_bytes())
    });
    let config = format!("[config]\norders_url = \"{}\"\n", service.url(""));
    for language in SOURCES {
        let project = author.project(&format!("{language}-orders"), language, "api-call");
        let told = run(&project, &service, &config, &event("order", "71"));
        assert_eq!(told["outcome"]["reply"]["response"], json!(["Order 71 is packed."]), "{told}");
        let told = run(&project, &service, &config, &event("order", "72"));
        assert_eq!(told["outcome"]["reply"]["response"], json!(["There is no order 72."]), "{told}");
    }
}

#[test]
fn a_code_verifies_the_number_that_it_was_sent_to_once() {
    let author = Author::new();
    let sent: Arc<Mutex<Vec<Value>>> = Arc::default();
    let service = {
        let sent = Arc::clone(&sent);
        Service::http(move |request| {
            sent.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
            response(200, "", b"")
        })
    };
    let config = format!("[config]\nsms_url = \"{}\"\n", service.url(""));
    for language in SOURCES {
        let project = author.project(&format!("{language}-otp"), language, "otp");
        let says = |event: &[u8], words: &str| {
            let told = run(&project, &service, &config, event);
            let said = told["outcome"]["reply"]["response"][0].as_str().unwrap_or_default();
            assert!(said.contains(words), "{language}: {told}");
        };
        let typed = |code: &str| event_of(&[("phone", "+91 98765 43210"), ("code", code)]);
        says(&event("phone", "+91 98765 43210"), "I sent a code to +919876543210");
        let sms = sent.lock().unwrap().pop().unwrap();
        assert_eq!(sms["to"], "+919876543210");
        let text = sms["text"].as_str().unwrap();
        let code: String = text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        assert_eq!(code.len(), 6, "{text}");
        let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);
        says(&typed(&wrong), "That is not the code.");
        says(&typed(&code), "your number is verified");
        says(&typed(&code), "There is no code");
        says(&event("phone", "+91 98765 43210"), "I sent a code");
        (0..3).for_each(|_| says(&typed("wrong"), "That is not the code."));
        let sms = sent.lock().unwrap().pop().unwrap();
        let code: String = sms["text"].as_str().unwrap().chars().filter(char::is_ascii_digit).take(6).collect();
        says(&typed(&code), "Too many tries");
    }
}
