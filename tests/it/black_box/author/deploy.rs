//! `codenode deploy` on a project: what would be in vain is told before the build, and what a server lacks by its name.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::super::server::{CODENODE, Server, TOKEN};
use super::super::shell::{Shell, url};
use super::super::source_nodes;
use super::{Author, Project};

/// A server with the tenant `acme`.
fn server() -> Server {
    let server = Server::start(&source_nodes::sandbox());
    Shell::of(&server).does("tenant create acme");
    server
}

/// Types `codenode deploy` in the project's folder, for the tenant `acme`; the exit code, and what is said.
fn deploy(project: &Project<'_>, server: &Server, key: &str, flags: &str) -> (Option<i32>, String) {
    let done = Command::new(CODENODE)
        .arg("deploy")
        .args(flags.split_whitespace())
        .current_dir(&project.folder)
        .env_clear()
        .env("HOME", project.author.shell.home.path())
        .env("PATH", std::env::var("PATH").unwrap())
        .envs([("CODENODE_SERVER", url(server).as_str()), ("CODENODE_KEY", key), ("CODENODE_TENANT", "acme")])
        .output()
        .unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap())
}

#[test]
fn what_would_be_in_vain_is_told_before_the_build() {
    let (server, author) = (server(), Author::new());
    let project = author.project("hello", "python", "minimal");
    let build = "[build]\ncommand = [\"sh\", \"make.sh\"]\nartifact = \"made.py\"\n";
    project.write("node.toml", &format!("name = \"hello\"\n{build}"));
    project.write("make.sh", "cp main.py made.py");
    for (key, flags, why) in [
        ("", "", "there is no key for"),
        ("no-key-at-all", "", "`codenode login` takes another key"),
        (TOKEN, "", "--create makes the node"),
        (TOKEN, "--create --tenant nobody", "nobody"),
        (TOKEN, "--create --limit memory=none", "--limit makes no sense"),
    ] {
        let (code, said) = deploy(&project, &server, key, flags);
        assert!(code == Some(2) && said.contains(why), "{flags}: {said}");
        assert!(!project.path("made.py").exists(), "{flags}: it was built");
    }
    // A node that is to be made waits for what it will run.
    project.write("make.sh", "exit 1");
    let (code, said) = deploy(&project, &server, TOKEN, "--create");
    assert!(code == Some(1) && said.contains("`sh make.sh` failed"), "{said}");
    assert!(Shell::of(&server).does("node list").contains("no nodes yet"));
    project.write("make.sh", "cp main.py made.py");
    let (code, said) = deploy(&project, &server, TOKEN, "--create");
    assert!(code == Some(0) && said.contains("revision 1 serves now"), "{said}");
}

#[test]
fn what_a_project_has_on_this_machine_alone_is_named_with_what_sets_it() {
    let (server, author) = (server(), Author::new());
    let project = author.project("hello", "python", "minimal");
    project.write(
        "node.toml",
        "name = \"hello\"\ngrants = [\"config\", \"secret:crm_key\", \"connection:crm\", \"kv:messages\"]\n\
         private_networks = [\"127.0.0.0/8\"]\nconfig = \"given/config.toml\"\nconnections = \"given/connections.toml\"\n\
         messages = \"given/messages.csv\"\n",
    );
    fs::create_dir(project.path("given")).unwrap();
    // The machine that deploys need not have the secret.
    let config = "[config]\ncrm_url = \"http://127.0.0.1:9000\"\nshop = \"south\"\n[config_secrets]\ncrm_key = \"env:CRM_KEY\"\n";
    project.write("given/config.toml", config);
    let settings = "{ origin = \"http://127.0.0.1:9000\", credential = { kind = \"header\", header = \"X-Key\" } }";
    project
        .write("given/connections.toml", &format!("crm = {{ settings = {settings}, secret = \"good here alone\" }}\n"));
    project.write("given/messages.csv", "key,language,text\nhello,,Hello\nbye,,Bye\n");

    let (code, said) = deploy(&project, &server, TOKEN, "--create --grant config --config shop=north");
    assert!(code == Some(2) && said.contains("granted the secret crm_key, and there is none of that name"), "{said}");
    for (what, command) in [
        ("config.toml sets crm_url on this machine alone", "codenode config set crm_url VALUE --node hello"),
        ("config.toml sets crm_key on this machine alone", "codenode config set crm_key --secret --node hello"),
        (
            "connections.toml has the connection crm on this machine alone",
            "codenode connection set crm --origin http://127.0.0.1:9000 --header X-Key",
        ),
        ("does not have 2 of the messages in given/messages.csv", "codenode message import given/messages.csv"),
        ("which private networks a tenant may reach", "private_networks = [\"127.0.0.0/8\"] in its codenode.toml"),
    ] {
        assert!(said.contains(what) && said.contains(command), "{what}: {command}: {said}");
    }
    assert!(!said.contains("shop on this machine alone"), "{said}");
    let settings = &server.manage("/v1/tenants/acme/nodes/hello/revisions/1").json()["settings"];
    assert_eq!(settings["grants"], json!(["config", "secret:crm_key", "connection:crm", "kv:messages"]));
    assert_eq!(settings["config"], json!({ "shop": "north" }));

    let shell = Shell::of(&server);
    shell.does("config set crm_url https://crm.example.com --node hello");
    shell.type_in("config set crm_key --secret", b"good on a server").exits(0);
    let set = "connection set crm --origin https://crm.example.com --header X-Key";
    shell.type_in(set, b"good on a server").exits(0);
    shell.does(&format!("message import {}", project.path("given/messages.csv").display()));
    let (code, said) = deploy(&project, &server, TOKEN, "--config shop=north");
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("alone") && !said.contains("messages in") && !said.contains("north"), "{said}");
}
