//! What `config` of node.toml and `--config` set: the same for `codenode test`, `run` and `dev`, and as a server would read it.

use std::fs;

use serde_json::json;

use super::{Author, Project};

/// Says its secrets from behind, for whoever runs it sees none of them.
const HANDLER: &str = "from codenode import config\n\n\ndef handle(event):\n    \
    return {\"response\": [config.text(key)[::-1] for key in (\"by_variable\", \"by_file\", \"by_itself\")]}\n";

const GRANTS: [&str; 3] = ["secret:by_variable", "secret:by_file", "secret:by_itself"];

/// A project whose handler reads secrets that are kept in three ways, in a folder of their own.
fn project(author: &Author) -> Project<'_> {
    let project = author.project("hello", "python", "minimal");
    project.write("node.toml", &format!("name = \"hello\"\ngrants = {GRANTS:?}\nconfig = \"local/config.toml\"\n"));
    project.write("main.py", HANDLER);
    fs::create_dir(project.path("local")).unwrap();
    project.write("local/sms.key", "kept in a file\n");
    project.write(
        "local/config.toml",
        "[config_secrets]\nby_variable = \"env:SMS_KEY\"\nby_file = \"file:sms.key\"\nby_itself = \"written there\"\n",
    );
    project
}

#[test]
fn a_secret_is_what_it_refers_to() {
    let mut author = Author::new();
    // Though it reads like a reference itself: nothing is followed twice.
    author.shell = author.shell.with("SMS_KEY", "file:of variables");
    let project = project(&author);
    let read = json!(["selbairav fo:elif", "elif a ni tpek", "ereht nettirw"]);
    project.write("events/asha.reply.json", &json!({ "response": read }).to_string());
    assert!(project.does("test", "--filter asha").contains("1 event is as expected"));
    let grants = GRANTS.map(|grant| format!("--grant {grant}")).join(" ");
    let [handler, config, event] =
        ["main.py", "local/config.toml", "events/asha.json"].map(|file| project.path(file).display().to_string());
    let ran = author.shell.json(&format!("run {handler} --event {event} --config {config} {grants}"));
    assert_eq!(ran["outcome"]["reply"]["response"], read, "{ran}");
}

#[test]
fn what_a_server_would_refuse_is_refused_with_its_line() {
    let author = Author::new();
    let project = project(&author);
    let refused = |words: &str| author.shell.type_in(&project.line("test", ""), b"").says_why(words);
    refused(
        "config.toml:2: `config_secrets.by_variable` refers to the environment variable \"SMS_KEY\", which is not set",
    );
    for (config, words) in [
        ("[config_secrets]\nby_file = \"file:gone\"\n", "config.toml:2: `config_secrets.by_file` refers to the file"),
        ("[config_secrets]\nunsaid = \"nobody reads it\"\n", "add \"secret:unsaid\" to the node's grants"),
        ("[config]\nshop = \"north\"\n", "config.toml:1: `config` would be read by nobody"),
        ("[configs]\n", "`configs` is unknown: did you mean `config`?"),
    ] {
        project.write("local/config.toml", config);
        refused(words);
    }
    project.write("node.toml", "name = \"hello\"\ngrants = [\"config\"]\nconfig = \"local/config.toml\"\n");
    project.write("local/config.toml", "[config]\nshops = [\"north\"]\n");
    refused("config.toml:2: `config.shops` is a list: it must be a text, a number, true or false");
}
