//! The subcommands, as a shell sees them: output, errors and exit codes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::server::{CODENODE, SECRET, Server, event, guest};

fn codenode(arguments: &[&str], input: &[u8]) -> Output {
    let cache = std::env::temp_dir().join(format!("codenode-cli-tests-{}", std::process::id()));
    let mut child = Command::new(CODENODE)
        .args(arguments)
        .env("CODENODE_CACHE_DIR", cache)
        .env_remove("CODENODE_SECRET")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails before it reads its input closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn run(name: &str, body: &[u8], more: &[&str]) -> Output {
    let artifact = guest(name);
    codenode(&[&["run", artifact.to_str().unwrap(), "--event", "-"], more].concat(), body)
}

#[test]
fn run_shows_the_reply_as_a_chat_then_usage_then_the_log() {
    let output = run("order-status", &event("product_id", "71"), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = stdout(&output);
    let order: Vec<Option<usize>> =
        ["bot  ", "[", "\nusage\n", "wall time", "\nlog\n"].iter().map(|part| shown.find(part)).collect();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{shown}");
}

#[test]
fn run_explains_a_bot_break_and_exits_with_1() {
    let output = run("naughty", &event("misbehave", "panic"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let shown = stdout(&output);
    for part in ["bot break  trap  (blame: author)", "the cat walked over the keyboard", "naughty::panic", "usage"] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
}

#[test]
fn run_prints_json_for_scripts() {
    let output = run("naughty", &event("misbehave", "eat_memory"), &["--json", "--memory", "2MiB"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["outcome"]["bot_break"]["cause"], "out_of_memory");
    assert_eq!(json["limits"]["memory_bytes"], 2 << 20);
    assert!(json["usage"]["memory_bytes"].as_u64().unwrap() <= 2 << 20);
}

#[test]
fn wall_time_and_cpu_time_are_told_apart() {
    let cause = |flags: &[&str]| {
        let output = run("naughty", &event("misbehave", "loop"), &[&["--json"], flags].concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["outcome"]["bot_break"]["cause"].clone()
    };
    assert_eq!(cause(&["--cpu-time", "50ms"]), "out_of_cpu");
    assert_eq!(cause(&["--wall-time", "50ms", "--cpu-time", "10s"]), "out_of_time");
}

#[test]
fn what_cannot_be_run_says_why_and_exits_with_2() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let (text, empty, good) =
        (file("a.wat", b"(module)"), file("b.wasm", b""), guest("product-price").display().to_string());
    for (refused, why) in [(text, "is WebAssembly text"), (empty, "is empty")] {
        let output = codenode(&["run", &refused, "-e", "-"], b"{}");
        assert!(output.status.code() == Some(1) && stderr(&output).contains(why), "{refused}: {}", stderr(&output));
    }
    for (arguments, input, why) in [
        (vec!["run", "/no/such/file.wasm", "-e", "-"], &b"{}"[..], "cannot read /no/such/file.wasm"),
        (vec!["run", &good, "-e", "/no/such/event.json"], b"", "cannot read the event from /no/such/event.json"),
        (vec!["run", &good, "-e", "-"], b"[1]", "must be a JSON object"),
        (
            vec!["run", &good, "-e", "-", "--wall-time", "1h"],
            b"{}",
            "the limit `wall_time` is 1h: it must be above zero and at most 28s",
        ),
        (vec!["run", &good], b"{}", "--event <FILE>"),
        (vec!["frobnicate"], b"", "unrecognized subcommand"),
        (vec!["send", "ftp://x", "-e", "-", "--secret", "s"], b"{}", "begins with http:// or https://"),
        (vec!["send", "http://127.0.0.1:9/hooks/a/b", "-e", "-", "--secret", "s"], b"{}", "did not answer"),
        (vec!["sign", "-e", "-", "--secret", "env:NOT_SET_ANYWHERE"], b"{}", "NOT_SET_ANYWHERE"),
        (vec!["sign", "-e", "-", "--secret", "s", "--scheme", "md5"], b"{}", "md5"),
        (vec!["serve", "--config", "/no/such/codenode.toml"], b"", "/no/such/codenode.toml"),
    ] {
        let output = codenode(&arguments, input);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(why), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn inspect_tells_kind_imports_and_verdict() {
    let inspect = |name: &str| {
        let output = codenode(&["inspect", guest(name).to_str().unwrap(), "--json"], b"");
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let (code, node) = inspect("product-price");
    assert_eq!((code, &node["kind"], &node["core_module"]), (Some(0), &"code_node".into(), &true.into()));
    let (code, command) = inspect("echo-command-p2");
    assert_eq!((code, &command["kind"], &command["core_module"]), (Some(0), &"command".into(), &false.into()));
    let (_, python) = inspect("python");
    let offers: Vec<&str> =
        python["imports"].as_array().unwrap().iter().map(|import| import["offer"].as_str().unwrap()).collect();
    assert!(offers.contains(&"served") && offers.contains(&"denied") && !offers.contains(&"refused"));
}

#[test]
fn sign_prints_the_published_signature() {
    let body = br#"{"node":"PRODUCT_PRICE","event":"API_INTEGRATION","user":{"user_name":"haptik_user_1","full_name":"","device_platform":5},"entities":{"product_name":[{"detection":"default","original_text":"speaker","entity_value":"speaker"}]}}"#;
    let sign =
        |scheme: &str| stdout(&codenode(&["sign", "--event", "-", "--secret", "test", "--scheme", scheme], body));
    assert_eq!(sign("sha1"), "x-hub-signature: sha1=2792491c048194ccb6a1de76b6c6a440d61c3518\n");
    assert_eq!(
        sign("sha256"),
        "x-hub-signature-256: sha256=0ca22082aafe5a8b6b5436513ca4e5a6d715882a2b6f5e889d22503d3ec627bf\n"
    );
}

#[test]
fn send_signs_and_shows_the_answer() {
    let server = Server::with_guests(&["product-price", "naughty"]);
    let send = |node: &str, secret: &str, body: &[u8], more: &[&str]| {
        let url = format!("http://{}/hooks/acme/{node}", server.front_door);
        codenode(&[&["send", &url, "--event", "-", "--secret", secret], more].concat(), body)
    };
    let good = send("product-price", SECRET, &event("product_name", "speaker"), &[]);
    assert_eq!(good.status.code(), Some(0));
    assert!(stdout(&good).contains("bot  The price of the speaker is ₹1500."), "{}", stdout(&good));
    let broken = send("naughty", SECRET, &event("misbehave", "panic"), &["--json", "--scheme", "sha1"]);
    let answer: Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!((broken.status.code(), &answer["status"], &answer["break"]), (Some(1), &502.into(), &"trap".into()));
    assert_eq!(send("product-price", "wrong", &event("product_name", "speaker"), &["--json"]).status.code(), Some(1));
}

#[test]
fn serve_works_without_a_configuration() {
    let folder = TempDir::new().unwrap();
    let mut child = Command::new(CODENODE)
        .arg("serve")
        .current_dir(folder.path())
        .env("CODENODE_FRONT_DOOR_LISTEN", "127.0.0.1:0")
        .env("CODENODE_MANAGEMENT_LISTEN", "127.0.0.1:0")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let listens = std::io::BufRead::lines(stderr).map_while(Result::ok).any(|line| line.contains("listening"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(listens);
}
