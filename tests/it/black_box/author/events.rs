//! `codenode test`, `codenode build` and `codenode run` on a project.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::super::server::{CODENODE, Server, TOKEN};
use super::super::shell::{Shell, url};
use super::super::source_nodes;
use super::Author;

#[test]
fn a_reply_that_differs_is_shown_by_its_lines_and_kept_when_it_is_right() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    let source = project.read("main.py").replace("what can I do", "how may I help");
    project.write("main.py", &source.replace("    name =", "    print('greeting', event['node'])\n    name ="));
    let failed = project.fails("test", "");
    for part in [
        "FAILED  asha",
        "-     \"Hello Asha, what can I do for you?\"",
        "+     \"Hello Asha, how may I help for you?\"",
        "greeting hello",
        "2 of 2 are not as expected",
    ] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    let kept = project.does("test", "--update");
    assert!(
        kept.contains("kept    asha as ") && kept.contains("2 events are as expected; 2 of them from now on"),
        "{kept}"
    );
    assert!(project.read("events/asha.reply.json").contains("how may I help"));
    project.does("test", "");
    assert!(project.does("test", "--filter asha").contains("1 event is as expected"));
    assert!(project.fails("test", "--filter nobody").contains("no event has `nobody`"));
}

#[test]
fn an_event_without_a_reply_says_how_to_keep_one() {
    let author = Author::new();
    let project = author.project("hello", "javascript", "minimal");
    fs::remove_file(project.path("events/asha.reply.json")).unwrap();
    let failed = project.fails("test", "");
    assert!(failed.contains("codenode test --update") && failed.contains("1 of 2 is not as expected"), "{failed}");
    fs::remove_file(project.path("events/asha.json")).unwrap();
    project.write("events/aisha.reply.json", "{}");
    author.shell.type_in(&project.line("test", ""), b"").says_why("belongs to no event");
    fs::remove_dir_all(project.path("events")).unwrap();
    author.shell.type_in(&project.line("test", ""), b"").says_why("there is no event");
}

#[test]
fn a_break_that_is_expected_is_no_failure() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    project.write("main.py", "def handle(event):\n    return 1 / len(event['user']['full_name'])\n");
    let failed = project.fails("test", "");
    assert!(failed.contains("+ bot break: exception") && failed.contains("main.py:2 in handle"), "{failed}");
    let refused = project.fails("test", "--update");
    assert!(
        refused.contains("a break is not kept in its place: remove ") && refused.contains("somebody.reply.json"),
        "{refused}"
    );
    fs::remove_file(project.path("events/somebody.reply.json")).unwrap();
    project.does("test", "--update --filter somebody");
    fs::remove_file(project.path("events/asha.json")).unwrap();
    fs::remove_file(project.path("events/asha.reply.json")).unwrap();
    project.does("test", "");
    project.write("events/somebody.break.json", r#"{"cause": "exception", "detail": "ZeroDivisionError"}"#);
    project.does("test", "");
    project.write("events/somebody.break.json", r#"{"cause": "exception", "detail": "KeyError"}"#);
    assert!(project.fails("test", "").contains("- KeyError"));
}

#[test]
fn a_file_that_cannot_be_read_fails_its_event_and_no_other() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    project.write("events/broken.json", "{");
    let file = project.path("report.xml");
    let line = project.line("test", &format!("--junit {}", file.display()));
    let failed = author.shell.type_in(&line, b"").exits(1).out();
    assert!(failed.contains("FAILED  broken") && failed.contains("1 of 3 is not as expected"), "{failed}");
    assert!(fs::read_to_string(file).unwrap().contains("tests=\"3\" failures=\"1\""));
    project.write("events/broken.json", "{}");
    project.write("events/broken.reply.json", "[]");
    assert!(project.fails("test", "").contains("broken.reply.json: "));
}

#[test]
fn reports_are_for_programs() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    project.write("events/asha.reply.json", r#"{"response": ["<\u0007&>"]}"#);
    let file = project.path("report.xml");
    let line = project.line("test", &format!("--json --junit {}", file.display()));
    let report = author.shell.type_in(&line, b"").exits(1).json();
    assert_eq!((&report["passed"], &report["failed"]), (&json!(1), &json!(1)));
    assert_eq!(report["events"][0]["event"], "asha");
    assert_eq!(report["events"][0]["outcome"]["reply"]["response"], json!(["Hello Asha, what can I do for you?"]));
    let xml = fs::read_to_string(file).unwrap();
    for part in [
        "<testsuite name=\"hello\" tests=\"2\" failures=\"1\"",
        "<testcase classname=\"hello\" name=\"somebody\"",
        "&lt;",
    ] {
        assert!(xml.contains(part), "{part}: {xml}");
    }
}

#[test]
fn what_is_missing_to_build_is_named_with_what_installs_it() {
    let author = Author::new();
    let project = author.project("hello", "rust", "minimal");
    // This author's machine has no programs at all.
    let shell = Author::new().shell.with("PATH", "/nowhere");
    shell.type_in(&project.line("build", ""), b"").says_why("rustc is not on this machine");
    let elsewhere = author.project("made", "python", "minimal");
    elsewhere.write("node.toml", "name = \"made\"\n[build]\ncommand = [\"tinygo\"]\nartifact = \"made.wasm\"\n");
    shell.type_in(&elsewhere.line("build", ""), b"").says_why("tinygo is not on this machine");
    elsewhere.write("node.toml", "name = \"made\"\ngrant = []\n");
    shell.type_in(&elsewhere.line("build", ""), b"").says_why("node.toml:2: unknown field `grant`");
}

#[test]
fn a_command_of_the_authors_own_makes_any_artifact() {
    let author = Author::with_rust();
    let project = author.project("made", "python", "minimal");
    let build = "[build]\ncommand = [\"sh\", \"make.sh\"]\nartifact = \"out/made.py\"\ndeadline = \"1s\"\n";
    project.write("node.toml", &format!("name = \"made\"\n{build}"));
    project.write("make.sh", "mkdir -p out; sed s/Hello/Welcome/ main.py > out/made.py");
    assert!(project.does("build", "").contains("out/made.py"));
    assert!(project.fails("test", "").contains("Welcome Asha"));
    project.write("make.sh", "exit 3");
    assert!(project.fails("build", "").contains("`sh make.sh` failed"));
    project.write("make.sh", "sleep 60");
    author.shell.type_in(&project.line("build", ""), b"").says_why("has not ended within 1s");
}

#[test]
fn a_project_runs_and_builds_where_its_author_is() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    let there = |arguments: &[&str]| {
        let done = Command::new(CODENODE)
            .args(arguments)
            .current_dir(&project.folder)
            .env_clear()
            .env("CODENODE_CACHE_DIR", source_nodes::cache())
            .output()
            .unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap())
    };
    let (code, out) = there(&["run", "--event", "events/asha.json"]);
    assert!(code == Some(0) && out.contains("Hello Asha, what can I do for you?"), "{out}");
    let (code, out) = there(&["build", "--json"]);
    assert!(code == Some(0) && out.contains("\"artifact\": \"main.py\""), "{out}");
    let (code, out) = there(&["test"]);
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn a_project_is_deployed_under_its_name_with_its_grants_and_limits() {
    let server = Server::start(&format!("[sandbox]\ncache_directory = {:?}\n", source_nodes::cache()));
    Shell::of(&server).does("tenant create acme");
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    project.write("node.toml", "name = \"GREETING\"\ngrants = [\"kv:node\"]\nlimits = { wall_time = \"5s\" }\n");
    let done = Command::new(CODENODE)
        .args(["deploy", "--create", "--limit", "log=1KiB", "--event", "events/asha.json", "--json"])
        .current_dir(&project.folder)
        .env_clear()
        .env("HOME", author.shell.home.path())
        .envs([("CODENODE_SERVER", url(&server).as_str()), ("CODENODE_KEY", TOKEN), ("CODENODE_TENANT", "acme")])
        .output()
        .unwrap();
    let out = String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success() && out.contains("Hello Asha"), "{out}");
    let node = server.manage("/v1/tenants/acme/nodes/GREETING/revisions/1").json();
    let settings = &node["settings"];
    assert_eq!(settings["grants"], json!(["kv:node"]), "{node}");
    assert_eq!((&settings["limits"]["wall_time"], &settings["limits"]["log"]), (&json!("5s"), &json!(1024)), "{node}");
}
