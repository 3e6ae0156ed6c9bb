//! The subcommands that talk to a server, as a shell sees them: from an empty server to a node that answers, and back.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::server::{SECRET, Server, TOKEN, event, guest};
use super::shell::{Shell, url};

/// The line that deploys a guest to the node `SHOP`.
fn deploy(name: &str, more: &str) -> String {
    format!("deploy {} --node SHOP {more}", guest(name).display())
}

/// A server with the tenant `acme` and its node `SHOP`, and somebody who may do everything there.
fn shop() -> (Server, Shell) {
    shop_with("")
}

/// The same, with more in its configuration.
fn shop_with(sections: &str) -> (Server, Shell) {
    let server = Server::start(sections);
    let shell = Shell::of(&server);
    shell.does("tenant create acme");
    shell.does("node create SHOP");
    shell.type_in("secret set SHOP", SECRET.as_bytes()).exits(0);
    (server, shell)
}

fn answer(server: &Server) -> String {
    let answer = server.send("SHOP", &event("product_name", "speaker"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[test]
fn a_tenant_that_has_as_much_as_it_may_makes_room_by_pruning() {
    let (_server, shell) = shop();
    let said = shell.does("tenant quota acme --artifacts 2 --artifact-size 4MiB");
    assert!(said.contains("artifacts") && said.contains("4194304"), "{said}");
    shell.does(&deploy("product-price", ""));
    shell.does(&deploy("order-status", ""));
    let echo = deploy("appointment", "");
    shell.type_in(&echo, b"").says_why("has 2 artifacts, as many as its quota `artifacts` allows");
    // Three more of what there is: the first one's artifact is not run any more once it is gone.
    (0..3).for_each(|_| drop(shell.does(&deploy("order-status", ""))));
    let pruned = shell.json("prune SHOP --keep 2 --yes");
    assert_eq!(pruned["deleted"], serde_json::json!({ "revisions": 3, "artifacts": 1 }));
    shell.does(&echo);
    assert_eq!(shell.json("revisions SHOP")["revisions"].as_array().unwrap().len(), 3);
    assert_eq!(shell.json("prune SHOP --yes")["deleted"]["revisions"], 0);
    let said = shell.does("tenant quota acme --reset");
    assert!(said.contains("what everybody may"), "{said}");
}

#[test]
fn what_reaches_more_than_the_live_revision_is_promoted_by_who_says_so() {
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = service.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in service.incoming().map_while(Result::ok) {
            // A request without a body comes in one piece.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let (server, shell) = shop_with("[tenants.acme]\nprivate_networks = [\"127.0.0.0/8\"]\n");
    let ask = || {
        let mut asking: Value = serde_json::from_slice(&event("order_id", "71")).unwrap();
        asking["env_variables"] = serde_json::json!({ "orders_url": format!("http://{address}") });
        server.send("SHOP", asking.to_string().as_bytes())
    };
    let first = shell.type_in(&deploy("order-tracker", ""), b"").exits(0);
    assert!(first.err().contains("warning: the code can use http, of which nothing is granted"), "{}", first.err());
    let refused = ask();
    assert!(refused.body.contains("Talk to a person"), "{}", refused.body);
    let why = server.record(&refused)["http_calls"][0]["refused"].to_string();
    assert!(why.contains(&format!("it takes the grant http:http://{address}")), "{why}");

    let grant = format!("http:http://{address}");
    let made = shell.type_in(&deploy("order-tracker", &format!("--grant {grant} --no-promote")), b"").exits(0);
    assert!(made.out().contains(&format!("+ grant {grant}")), "{}", made.out());
    assert!(!made.err().contains("the code can use http"), "{}", made.err());
    let unsaid = shell.type_in("promote SHOP 2", b"");
    unsaid.says_why(&format!("revision 2 may reach what the live one may not: if that is meant, say so as `grants` (--grant on the command line): {grant}"));
    shell.does(&format!("promote SHOP 2 --grant {grant}"));
    assert!(ask().body.contains("I cannot find the order 71."));
    // A roll-back, there and back, leads to what was said before.
    shell.does("rollback SHOP");
    assert!(ask().body.contains("Talk to a person"));
    shell.does("rollback SHOP");
    assert!(ask().body.contains("I cannot find the order 71."));
    shell.type_in(&deploy("order-tracker", "--grant ftp://example.com"), b"").says_why("write it as http:ORIGIN");
}

#[test]
fn a_node_is_deployed_replaced_and_rolled_back() {
    let (server, shell) = shop();
    let first = shell.does(&deploy("product-price", "--note first"));
    assert!(
        first.contains("revision  1 of SHOP") && first.contains("revision 1 serves now, at /hooks/acme/SHOP"),
        "{first}"
    );
    assert!(!first.contains("rollback"), "{first}");
    assert!(answer(&server).contains("1500"));

    let second = shell.does(&deploy("order-status", "--note second --end-node --limit memory=32MiB"));
    for part in [
        "against 1, which is live:\n  another artifact",
        "- end_node false",
        "+ end_node true",
        "+ limits.memory 33554432",
    ] {
        assert!(second.contains(part), "{part} is not in:\n{second}");
    }
    assert!(second.contains("back to 1: codenode rollback SHOP --tenant acme --server http://"), "{second}");
    assert!(answer(&server).contains("Which order"));

    shell.does("rollback SHOP");
    assert!(answer(&server).contains("1500"));
    shell.does("promote SHOP 2");
    assert!(answer(&server).contains("Which order"));
    shell.does("rollback SHOP --to 1");
    assert!(answer(&server).contains("1500"));

    let revisions = shell.does("revisions SHOP");
    let lines: Vec<&str> = revisions.lines().collect();
    assert!(
        lines[0].starts_with("REVISION") && lines[1].starts_with("2  ") && lines[1].ends_with("second"),
        "{revisions}"
    );
    assert!(lines[2].starts_with("1  ") && lines[2].contains(" live ") && lines[2].ends_with("first"), "{revisions}");
    assert!(shell.does("node show SHOP").contains("webhook   /hooks/acme/SHOP"));
    assert!(shell.does("status").contains("acme/SHOP  live       revision 1"), "{}", shell.does("status"));
}

#[test]
fn a_revision_that_breaks_on_the_event_is_not_promoted() {
    let (server, shell) = shop();
    shell.does(&deploy("product-price", ""));
    let broken = shell.type_in(&deploy("naughty", "--event -"), &event("misbehave", "panic")).exits(1);
    for part in ["bot break  trap  (blame: author)", "the cat walked", "not promoted; revision 1 goes on serving"] {
        assert!(broken.out().contains(part), "{part} is not in:\n{}", broken.out());
    }
    assert!(answer(&server).contains("1500"));
    let json = shell.type_in(&deploy("naughty", "--event - --json"), &event("misbehave", "panic")).exits(1).json();
    assert_eq!(json["test"]["outcome"]["bot_break"]["cause"], "trap");
    assert_eq!((&json["revision"]["number"], &json["node"]), (&3.into(), &Value::Null));

    let good = shell.type_in(&deploy("order-status", "--event - --no-promote"), &event("product_id", "71")).exits(0);
    assert!(
        good.out().contains("Order 71 is on its way.") && good.out().contains("codenode promote SHOP 4"),
        "{}",
        good.out()
    );
    assert!(answer(&server).contains("1500"));
}

#[test]
fn a_test_shows_what_a_run_would() {
    let (_server, shell) = shop();
    shell.type_in("try SHOP --event -", &event("a", "b")).says_why("nothing is live yet");
    shell.does(&deploy("order-status", ""));
    let shown = shell.type_in("try SHOP --event -", &event("product_id", "71")).exits(0).out();
    for part in ["bot  Order 71 is on its way.", "\nusage\n", "\nlog\n", "status of order 71"] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    shell.does(&deploy("naughty", "--no-promote"));
    let broken = shell.type_in("try SHOP --event - --revision 2 --json", &event("misbehave", "panic")).exits(1).json();
    assert_eq!(broken["outcome"]["bot_break"]["cause"], "trap");
    shell.type_in("try SHOP --event - --revision 9", &event("a", "b")).says_why("revision 9");
    shell.type_in("try SHOP --event -", b"[1]").says_why("must be a JSON object");
}

#[test]
fn runs_and_their_logs_are_shown() {
    let (server, shell) = shop();
    assert!(shell.does("runs").contains("no such runs"));
    shell.does(&deploy("order-status", ""));
    let run = server.send("SHOP", &event("product_id", "71"));
    server.record(&run);
    let runs = shell.does("runs --node SHOP");
    assert!(runs.contains(run.header("x-codenode-run").unwrap()) && runs.contains("acme/SHOP  reply"), "{runs}");
    assert!(shell.does("runs --cause trap").contains("no such runs"));
    assert!(shell.does("logs SHOP").contains("status of order 71"));
    let record = shell.json("logs SHOP");
    assert_eq!(record["log"]["lines"][0]["level"], "info");

    shell.does(&deploy("naughty", ""));
    let broken = server.send("SHOP", &event("misbehave", "panic"));
    server.record(&broken);
    let id = broken.header("x-codenode-run").unwrap();
    let shown = shell.does(&format!("runs {id}"));
    for part in ["acme/SHOP ran revision 2 at ", "bot break  trap  (blame: author)", "panicked at", "\nusage\n"] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    assert_eq!(shell.json(&format!("runs {id}"))["cause"], "trap");
    shell.type_in("runs 0199a5b0-0000-7000-8000-000000000000", b"").says_why("there is no record of a run");
    shell.type_in(&format!("runs {id} --node SHOP"), b"").says_why("cannot be used with");
    assert!(shell.does("logs SHOP --limit 1").contains("break    trap: "), "{}", shell.does("logs SHOP"));
}

#[test]
fn a_bad_artifact_is_refused_with_its_problems() {
    let (_server, shell) = shop();
    let bad = shell.home.path().join("bad.wasm");
    fs::write(&bad, "(module)").unwrap();
    let refused = shell.type_in(&format!("deploy {} --node SHOP", bad.display()), b"").exits(1);
    assert!(refused.err().contains("refuses the artifact:\n  - it is WebAssembly text"), "{}", refused.err());
    shell.type_in("deploy /no/such.wasm --node SHOP", b"").says_why("cannot read /no/such.wasm");
    shell.type_in(&deploy("product-price", "--limit memory=9GiB"), b"").says_why("the limit `memory` is 9.0 GiB");
    assert_eq!(shell.json("revisions SHOP")["revisions"], Value::Array(Vec::new()));
}

#[test]
fn a_node_is_made_only_if_that_is_wanted() {
    let server = Server::start("");
    let shell = Shell::of(&server);
    shell.does("tenant create acme");
    shell.type_in(&deploy("product-price", ""), b"").says_why("--create makes the node");
    let made = shell.type_in(&deploy("product-price", "--create"), b"").exits(0);
    assert!(made.out().contains("revision 1 serves now"), "{}", made.out());
    assert!(made.err().contains("codenode secret set SHOP"), "{}", made.err());
}

#[test]
fn without_the_right_key_nothing_is_told_and_what_to_type_is() {
    let server = Server::start("");
    let url = url(&server);
    let stranger = Shell::new();
    stranger.type_in(&format!("status --server {url}"), b"").says_why(&format!("keep one with `codenode login {url}`"));
    let wrong = Shell::of(&server).with("CODENODE_KEY", "cn_0123456789abcdef_wrong");
    wrong.type_in("tenant list", b"").says_why("`codenode login` takes another key");
    stranger.type_in(&format!("login {url}"), b"wrong\n").says_why("this key is wrong");
    assert!(!stranger.home.path().join(".config").exists());
    stranger.type_in(&format!("login {url}"), b"").says_why("nothing came");
    stranger.with("CODENODE_KEY", TOKEN).type_in(&format!("node list --server {url}"), b"").says_why("which tenant?");

    let operator = Shell::of(&server);
    operator.does("tenant create acme");
    let key = operator.does("key create --role read --label ci --expires-in 90d");
    let reader = Shell::of(&server).with("CODENODE_KEY", key.trim());
    reader.type_in("node create SHOP", b"").says_why("this takes the role `admin`, and your key has `read`");
    operator.does("node create SHOP");
    // So large that a server which says no closes before all of it is there.
    let large = format!("deploy {} --node SHOP", guest("python").display());
    reader.type_in(&large, b"").says_why("this takes the role `deploy`, and your key has `read`");
    reader.type_in("node list --tenant other", b"").says_why("there is no such tenant");
    let id = key.split('_').nth(1).unwrap();
    assert!(operator.does("key list").contains(id));
    operator.type_in(&format!("key delete {id}"), b"").says_why("--yes");
    operator.does(&format!("key delete {id} --yes"));
    reader.type_in("node list", b"").says_why("this key is wrong");
    operator.type_in("node list --tenant ../x", b"").says_why("not a valid id");
}

#[test]
fn a_server_that_does_not_answer_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shell = Shell::new().with("CODENODE_KEY", "k").with("CODENODE_SERVER", &format!("http://{closed}"));
    shell
        .type_in("status", b"")
        .says_why(&format!("no server answers at http://{closed}: start one with `codenode serve`"));
    shell.type_in("status --server http://", b"").says_why("no server's URL");
    let server = Server::start("");
    let door = format!("status --server http://{}", server.front_door);
    shell.type_in(&door, b"").says_why("is the URL that of the front door");
}

#[test]
fn a_login_is_kept_for_its_owner_and_its_server_alone() {
    let server = Server::start("");
    Shell::of(&server).does("tenant create acme");
    let shell = Shell::new();
    let kept = shell.type_in(&format!("login {} --tenant acme", url(&server)), TOKEN.as_bytes()).exits(0);
    assert!(!kept.out().contains(TOKEN));
    let file = shell.home.path().join(".config/codenode/login.toml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    assert!(shell.does("node list").contains("no nodes yet: codenode node create ID\n"));

    let elsewhere = Server::start("");
    let other = format!("node list --server {}", url(&elsewhere));
    shell.type_in(&other, b"").says_why("there is no key for");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(shell.type_in("node list", b"").exits(0).err().contains("warning: others can read the key"));
    fs::write(&file, "key = ").unwrap();
    shell.type_in("node list", b"").says_why("run `codenode login` again");

    let warned =
        Shell::new().with("CODENODE_KEY", "k").type_in("status --server http://codenode.invalid", b"").exits(2);
    assert!(warned.err().contains("for everybody on the way to read"), "{}", warned.err());
}

#[test]
fn whatever_a_script_asks_is_answered_in_json() {
    let (server, shell) = shop();
    shell.does(&deploy("product-price", ""));
    let again = shell.json(&deploy("product-price", ""));
    assert_eq!((&again["artifact"]["is_new"], &again["diff"]["same_artifact"]), (&false.into(), &true.into()));
    assert_eq!((&again["node"]["live"], &again["test"]), (&2.into(), &Value::Null));
    server.record(&server.send("SHOP", &event("product_name", "speaker")));
    for (line, pointer) in [
        ("tenant list", "/tenants/0/id"),
        ("tenant create other", "/id"),
        ("tenant delete other --yes", "/deleted/tenant"),
        ("node create EMPTY --scheme standard", "/door/schemes/0"),
        ("node list", "/nodes/1/id"),
        ("node show SHOP", "/live"),
        ("node delete EMPTY --yes", "/deleted/node"),
        ("secret list SHOP", "/secrets/0/id"),
        ("key create --role deploy", "/key"),
        ("key create --role operator", "/key"),
        ("key list", "/keys/0/id"),
        ("key list --operators", "/keys/0/id"),
        ("revisions SHOP --limit 1", "/next"),
        ("promote SHOP 1", "/live"),
        ("rollback SHOP", "/live"),
        ("runs", "/runs/0/id"),
        ("status", "/ready/status"),
        ("status", "/serving/nodes/0/node"),
    ] {
        let json = shell.json(line);
        assert!(json.pointer(pointer).is_some_and(|found| !found.is_null()), "{line}: {pointer} is not in {json}");
    }
}

#[test]
fn secrets_come_from_standard_input_and_are_never_shown() {
    let (server, shell) = shop();
    shell.does(&deploy("product-price", ""));
    shell.type_in("secret set SHOP", b"short\n").says_why("the secret is too short");
    shell.type_in("secret set SHOP", SECRET.as_bytes()).says_why("see --retire-older-in: the node SHOP has a secret");
    let other = b"another secret that only tests know\n";
    shell.type_in("secret set SHOP --retire-older-in 24h", other).exits(0);
    assert!(answer(&server).contains("1500"), "the older one is still good");
    let listed = shell.json("secret list SHOP");
    assert!(!listed.to_string().contains("only tests know"));
    let older = listed["secrets"][0]["id"].as_str().unwrap();
    assert!(listed["secrets"][0]["retires_at"].is_string(), "{listed}");
    shell.does(&format!("secret delete SHOP {older} --yes"));
    assert_eq!(server.send("SHOP", &event("product_name", "speaker")).status, 401);
}

#[test]
fn the_master_key_is_changed_while_the_server_runs() {
    let (server, shell) = shop();
    let state = server.folder.path().join(".codenode");
    let config = shell.home.path().join("codenode.toml");
    let rotate = |keys: &str| {
        fs::write(&config, format!("[storage]\ndirectory = {state:?}\nmaster_keys = [{keys}]\n")).unwrap();
        shell.type_in(&format!("keys rotate --config {}", config.display()), b"")
    };
    let (new, old) = (
        "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"",
        format!("{:?}", format!("file:{}/master.key", state.display())),
    );
    rotate(new).says_why("which is not configured: add it back");
    assert_eq!(rotate(&format!("{new}, {old}")).exits(0).out(), "sealed 1 secret anew\n");
    assert_eq!(rotate(new).exits(0).out(), "sealed 0 secrets anew\n");
    rotate(&old).says_why("which is not configured: add it back");
}
