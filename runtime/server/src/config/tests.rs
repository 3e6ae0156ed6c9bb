use std::path::Path;

use super::document::Document;
use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    parse_with(text, &[])
}

fn parse_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::parse(Path::new("codenode.toml"), text, &environment.iter().copied().collect())
}

fn problems(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

const NODE: &str = "[tenants.acme.nodes.N]\nartifact = \"n.wasm\"\nsecrets = [\"it's a secret\"]\n";

#[test]
fn the_defaults_file_holds_exactly_the_defaults() {
    let read = parse(DEFAULTS).unwrap();
    let default = Config::default();
    assert_eq!(read.front_door, default.front_door);
    assert_eq!(read.management, default.management);
    assert_eq!(read.sandbox, default.sandbox);
    assert_eq!(read.limits, default.limits);
    assert_eq!(read.quota, default.quota);
    assert_eq!(read.traces, default.traces);
    assert_eq!(read.log, default.log);
    assert!(read.tenants.is_empty());
}

#[test]
fn the_defaults_file_documents_every_key() {
    let text = format!("{NODE}[front_door.tls]\ncertificate = \"c\"\nkey = \"k\"\n");
    let environment = Environment::default();
    let document = Document::new(Path::new("codenode.toml"), &text, &environment);
    let root = document.parse().unwrap();
    Config::read(&document, root.get_ref());
    for key in document.known_keys() {
        let name = key.rsplit('.').next().unwrap();
        let documented = DEFAULTS.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} = ")));
        assert!(documented || key.starts_with("tenants.acme.nodes.N.limits"), "{key}");
    }
    assert!(document.known_keys().len() > 40);
}

#[test]
fn the_example_in_the_defaults_file_is_right_but_for_its_own_explanations() {
    let example: String = DEFAULTS
        .lines()
        .skip_while(|line| !line.starts_with("# [tenants.acme]"))
        .filter(|line| !line.contains("bot_break_text ="))
        .map(|line| format!("{}\n", line.trim_start_matches("# ").trim_start_matches('#')))
        .collect();
    let environment = [("ORDER_STATUS_SECRET", "hidden"), ("SIGNING_KEY", "hidden too")];
    let config = parse_with(&example, &environment).unwrap();
    let node = &config.tenants["acme"].nodes["ORDER_STATUS"];
    assert_eq!(node.limits.memory_bytes, 128 << 20);
    assert_eq!(config.tenants["acme"].quota.runs, 64);
}

#[test]
fn what_a_handler_cannot_read_is_told() {
    let text = "[tenants.acme.nodes.N]\nartifact = \"a.wasm\"\nallow_unsigned = true\n\
        config = { \"a b\" = 1, list = [1], good = 1.5 }\n\
        config_secrets = { good = \"long enough\", short = \"short\" }\n";
    insta::assert_snapshot!(problems(text), @r#"
    the configuration has 7 problems:
      codenode.toml:4: `tenants.acme.nodes.N.config` would be read by nobody: add "config" to the node's grants
      codenode.toml:4: `tenants.acme.nodes.N.config.a b` cannot be read by a handler: `a b` is no key of a handler's configuration: use 1 to 128 letters, digits, `.`, `_` or `-`, the first a letter or a digit, as in crm.base_url
      codenode.toml:4: `tenants.acme.nodes.N.config.list` is a list: it must be a text, a number, true or false; write anything else as JSON in a text
      codenode.toml:5: `tenants.acme.nodes.N.config_secrets.good` would be read by nobody: add "secret:good" to the node's grants
      codenode.toml:5: `tenants.acme.nodes.N.config_secrets.good` is in `config` too, where everybody may see it: remove one of the two
      codenode.toml:5: `tenants.acme.nodes.N.config_secrets.short` would be read by nobody: add "secret:short" to the node's grants
      codenode.toml:5: `tenants.acme.nodes.N.config_secrets.short` cannot be used: the secret has 5 bytes, which cannot be told from other text in a log: give it 8 at the least
    "#);
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_one() {
    let text = "[front_door]\nlistn = \"127.0.0.1:1\"\n[mangement]\n[limits]\nqqqq = 1\n[tenants.acme]\nnode = {}\n";
    insta::assert_snapshot!(problems(text), @r#"
    the configuration has 4 problems:
      codenode.toml:2: `front_door.listn` is unknown: did you mean `listen`?
      codenode.toml:3: `mangement` is unknown: did you mean `management`?
      codenode.toml:5: `limits.qqqq` is unknown; the known ones here are wall_time, cpu_time, memory, event, reply, log, host_calls, host_call, handles, http_calls, http_request, http_response, kv_calls, kv_data, conversation_value_chars, user_value_chars
      codenode.toml:7: `tenants.acme.node` is unknown: did you mean `nodes`?
    "#);
}

#[test]
fn every_problem_is_reported_at_its_line() {
    let text = r#"
        [front_door]
        listen = "here"
        workers = -1
        body_timeout = "soon"
        tls = { certificate = "c.pem" }
        [management]
        token = "short"
        [sandbox]
        runs = 0
        stack = "1 KiB"
        [records]
        keep_time = "0s"
        write_interval = "1us"
        waiting_size = 0
        [deliveries]
        keep_time = "8days"
        [limits]
        wall_time = "40s"
        memory = true
        [log]
        level = "=="
        format = "xml"
        [tenants."no id"]
        [tenants.acme]
        quota = { runs = 0 }
        [tenants.acme.nodes.N]
        secrets = []
        on_break = "say"
        [tenants.acme.nodes.M]
        artifact = ""
        allow_unsigned = true
        secrets = ["a", "b", "c"]
        schemes = ["md5"]
        bot_break_text = "Sorry"
    "#;
    insta::assert_snapshot!(problems(text), @r#"
    the configuration has 25 problems:
      codenode.toml:3: `front_door.listen` is "here": it must be an address with a port, such as "0.0.0.0:8080"
      codenode.toml:4: `front_door.workers` is -1: it must be a whole number, not below zero
      codenode.toml:5: `front_door.body_timeout` is "soon": it must be a time such as "10s" or "500ms"
      codenode.toml:6: `front_door.tls` needs both `certificate` and `key`, or neither
      codenode.toml:8: `management.token` is too short: use at least 16 characters, such as the output of `openssl rand -hex 32`
      codenode.toml:10: `sandbox.runs` is 0: it must be from 1 to 2000
      codenode.toml:11: `sandbox.stack` is 1.0 KiB: it must be from 64.0 KiB to 16.0 MiB
      codenode.toml:13: `records.keep_time` is 0s: it must be from 1m to 1year
      codenode.toml:14: `records.write_interval` is 1us: it must be from 10ms to 1h
      codenode.toml:15: `records.waiting_size` is 0 B: it must be from 8.0 MiB to 4.0 GiB
      codenode.toml:17: `deliveries.keep_time` is 8days: it must be from 1s to 7days
      codenode.toml:18: `limits` is out of range: the limit `wall_time` is 40s: it must be above zero and at most 28s
      codenode.toml:20: `limits.memory` is true: it must be a size such as "64 MiB"
      codenode.toml:22: `log.level` must be "error", "warn", "info", "debug" or "trace", or a filter such as "info,server=debug"
      codenode.toml:23: `log.format` is "xml": it must be "auto" or "text" or "json"
      codenode.toml:24: `tenants.no id` does not name a tenant: `no id` is not a valid id: use 1 to 63 letters, digits, `_` or `-`, the first a letter or a digit
      codenode.toml:26: `tenants.acme.quota` is out of range: the quota `runs` is 0: it must be above zero and at most 10000
      codenode.toml:27: `tenants.acme.nodes.N.artifact` is missing: give the path of the compiled handler, such as "order-status.wasm"
      codenode.toml:27: `tenants.acme.nodes.N.bot_break_text` is missing: on_break = "say" needs the text that the user is shown
      codenode.toml:28: `tenants.acme.nodes.N.secrets` is empty: give one or two, or say allow_unsigned = true to take events from anybody
      codenode.toml:31: `tenants.acme.nodes.M.artifact` must be a path in quotes, and not empty
      codenode.toml:32: `tenants.acme.nodes.M.allow_unsigned` makes the secrets useless: remove one of the two
      codenode.toml:33: `tenants.acme.nodes.M.secrets` cannot be used: a node holds at most two live secrets; retire one first
      codenode.toml:34: `tenants.acme.nodes.M.schemes` must hold only "sha1", "sha256" or "standard"
      codenode.toml:35: `tenants.acme.nodes.M.bot_break_text` would never be said: add on_break = "say", or remove it
    "#);
}

#[test]
fn the_way_to_a_collector_is_checked_and_its_headers_are_not_shown() {
    let text = "[traces]\nendpoint = \"collector:4318\"\nsample_ratio = 1.5\nheaders = \"authorization hidden\"\n";
    let shown = problems(text);
    assert!(!shown.contains("hidden"), "{shown}");
    insta::assert_snapshot!(shown, @r#"
    the configuration has 3 problems:
      codenode.toml:2: `traces.endpoint` is "collector:4318": it must be the URL of a collector, such as "http://127.0.0.1:4318/v1/traces"
      codenode.toml:3: `traces.sample_ratio` is 1.5: it must be a number from 0 to 1, such as 0.1
      codenode.toml:4: `traces.headers` holds a line that is no header: write one `name: value` a line
    "#);
    let text = "[traces]\nendpoint = \"https://collector\"\nsample_ratio = 1\nheaders = \"env:HEADERS\"\n";
    let headers = "authorization: Bearer hidden\n\nX-Scope: acme\n";
    let ratio = ("CODENODE_TRACES_SAMPLE_RATIO", "0.25");
    let traces = parse_with(text, &[("HEADERS", headers), ratio]).unwrap().traces;
    assert_eq!(traces.endpoint.as_ref().unwrap().to_string(), "https://collector/v1/traces");
    assert_eq!((traces.sample_ratio, traces.headers["x-scope"].to_str().unwrap()), (0.25, "acme"));
    assert!(!format!("{traces:?}").contains("hidden"));
}

#[test]
fn what_is_not_toml_is_shown_without_its_text() {
    let text = "[management]\ntoken = \"hidden\n\n[limits\n";
    let shown = problems(text);
    assert!(!shown.contains("hidden"), "{shown}");
    insta::assert_snapshot!(shown, @r#"
    the configuration has 2 problems:
      codenode.toml:2: this is not TOML: invalid basic string, expected `"`
      codenode.toml:4: this is not TOML: unclosed table, expected `]`
    "#);
}

#[test]
fn the_environment_wins_over_the_file() {
    let environment = [
        ("CODENODE_FRONT_DOOR_LISTEN", "0.0.0.0:80"),
        ("CODENODE_FRONT_DOOR_WORKERS", "3"),
        ("CODENODE_SANDBOX_QUEUE_WAIT", "250ms"),
        ("CODENODE_LIMITS_MEMORY", "128 MiB"),
        ("CODENODE_LOG", "debug"),
        ("CODENODE_MANAGEMENT_TOKEN", "0123456789abcdef"),
    ];
    let config = parse_with("[front_door]\nlisten = \"127.0.0.1:1\"\n", &environment).unwrap();
    assert_eq!(config.front_door.listen.to_string(), "0.0.0.0:80");
    assert_eq!(config.front_door.workers, 3);
    assert_eq!(config.sandbox.queue_wait.as_millis(), 250);
    assert_eq!(config.limits.memory_bytes, 128 << 20);
    assert_eq!(config.log.level, "debug");
    assert!(config.management.token.unwrap().matches(b"0123456789abcdef"));
}

#[test]
fn a_misspelt_variable_does_not_go_unnoticed() {
    let environment =
        [("CODENODE_FRONT_DOOR_LISTN", "x"), ("CODENODE_SANDBOX_RUNS", "many"), ("CODENODE_MY_SECRET", "x")];
    let shown = parse_with("", &environment).unwrap_err().to_string();
    insta::assert_snapshot!(shown, @r#"
    the configuration has 2 problems:
      environment variable CODENODE_SANDBOX_RUNS: `sandbox.runs` is "many": it must be a whole number, not below zero
      environment variable CODENODE_FRONT_DOOR_LISTN: means nothing to codenode: did you mean `CODENODE_FRONT_DOOR_LISTEN`?
    "#);
}

#[test]
fn a_node_inherits_the_hosts_limits_and_sets_its_own() {
    let text = format!("[limits]\nmemory = \"32 MiB\"\nwall_time = \"5s\"\n{NODE}limits = {{ wall_time = \"7s\" }}\n");
    let config = parse(&text).unwrap();
    let limits = config.tenants["acme"].nodes["N"].limits;
    assert_eq!((limits.memory_bytes, limits.wall_time.as_secs()), (32 << 20, 7));
}

#[test]
fn a_tenant_inherits_the_hosts_quota_and_sets_its_own() {
    let text = format!(
        "[quota]\nruns_per_second = 10\nweight = 2\n{NODE}[tenants.acme.quota]\nweight = 5\ncpu_per_hour = \"10m\"\n"
    );
    let quota = parse(&text).unwrap().tenants["acme"].quota;
    let cpu_per_hour = Some(std::time::Duration::from_secs(600));
    assert_eq!(quota, Quota { runs_per_second: Some(10), cpu_per_hour, weight: 5, ..Quota::DEFAULT });
}

#[test]
fn paths_start_from_the_file() {
    let text = format!("{NODE}[sandbox]\ncache_directory = \"cache\"\n");
    let config = Config::parse(Path::new("/etc/codenode/codenode.toml"), &text, &Environment::default()).unwrap();
    assert_eq!(config.tenants["acme"].nodes["N"].artifact, Path::new("/etc/codenode/n.wasm"));
    assert_eq!(config.sandbox.cache_directory, Path::new("/etc/codenode/cache"));
}

#[test]
fn a_secret_is_followed_to_where_it_is_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "from a file\n").unwrap();
    let text = r#"
        management = { token = "hidden hidden hidden" }
        [tenants.acme.nodes.N]
        artifact = "n.wasm"
        secrets = ["env:NEW", "file:secret"]
    "#;
    let environment = [("NEW", "hidden in the environment")].into_iter().collect();
    let config = Config::parse(&folder.path().join("codenode.toml"), text, &environment).unwrap();
    assert_eq!(config.referenced_files, [folder.path().join("secret")]);
    let shown = format!("{config:?} {environment:?}");
    assert!(!shown.contains("hidden") && !shown.contains("from a file"), "{shown}");
}

#[test]
fn a_secret_that_cannot_be_used_is_refused_without_being_shown() {
    let text = r#"
        [tenants.acme.nodes.N]
        artifact = "n.wasm"
        secrets = ["", "env:ABSENT"]
        [tenants.acme.nodes.M]
        artifact = "n.wasm"
        secrets = ["file:absent", "whsec_hidden!"]
        [tenants.acme.nodes.O]
        artifact = "n.wasm"
        secrets = ["hidden"]
        schemes = ["standard"]
    "#;
    let shown = problems(text);
    assert!(!shown.contains("hidden"), "{shown}");
    insta::assert_snapshot!(shown, @r#"
    the configuration has 5 problems:
      codenode.toml:4: `tenants.acme.nodes.N.secrets` is an empty secret, which anybody could sign with: give at least 16 random characters
      codenode.toml:4: `tenants.acme.nodes.N.secrets` refers to the environment variable "ABSENT", which is not set: set it and start again
      codenode.toml:7: `tenants.acme.nodes.M.secrets` refers to the file absent, which cannot be read: No such file or directory (os error 2)
      codenode.toml:7: `tenants.acme.nodes.M.secrets` cannot be used: the secret begins with `whsec_`, but what follows is not base64; copy it again, whole
      codenode.toml:10: `tenants.acme.nodes.O.secrets` cannot be used: the scheme `standard` needs a secret of the form `whsec_<base64>`
    "#);
}

#[test]
fn without_a_file_the_defaults_serve_unless_a_file_was_named() {
    let absent = Path::new("surely/absent.toml");
    let error = Config::load(Some(absent), &Environment::default()).unwrap_err().to_string();
    assert!(error.contains("surely/absent.toml: cannot be read"), "{error}");
    // The tests' working directory holds no codenode.toml.
    let config = Config::load(None, &Environment::default()).unwrap();
    assert_eq!((config.file, config.tenants.len()), (None, 0));
}
