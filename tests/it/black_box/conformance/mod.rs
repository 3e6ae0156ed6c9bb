//! The same questions to every language: events in, replies out, each cause, each capability. One handler a language, in
//! `tests/guests/conformance`, does what the entity `way` says. What a language cannot do is listed with its reason; everything else must hold.

mod cases;
mod languages;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;

use serde_json::Value;

use self::cases::{Case, Expected};
use self::languages::Language;
use super::http::Answer;
use super::server::{SECRET, Server};
use super::service::{Service, response};
use super::shell::Shell;
use super::source_nodes::sandbox;

const KEY: &str = "an-api-key-that-no-handler-sees";

/// The services of this machine that the handlers may ask.
struct Services {
    open: Service,
    guarded: Service,
    /// Closes what is opened, without an answer.
    silent: Service,
}

impl Services {
    fn start() -> Self {
        let open = Service::http(|request| {
            let is_down = request.head.starts_with("GET /down ");
            if is_down { response(503, "", b"") } else { response(200, "content-type: text/plain\r\n", b"packed") }
        });
        let guarded = Service::http(|request| {
            let is_right = request.header("x-api-key") == Some(KEY);
            response(
                200,
                "content-type: text/plain\r\n",
                if is_right { b"the key is right" } else { b"there is no key" },
            )
        });
        Self { open, guarded, silent: Service::saying(b"") }
    }

    fn orders(&self) -> String {
        self.open.url("/orders")
    }

    fn down(&self) -> String {
        self.open.url("/down")
    }

    fn silent(&self) -> String {
        self.silent.url("/orders")
    }

    fn guarded(&self) -> String {
        self.guarded.url("/orders")
    }
}

/// What came of an event.
struct Tried {
    answer: Answer,
    record: Value,
}

impl Tried {
    /// The first message, if it replied.
    fn message(&self) -> Option<String> {
        let replied = self.answer.status == 200;
        replied.then(|| self.answer.json()["response"][0].as_str().unwrap_or_default().to_owned())
    }

    fn outcome(&self) -> String {
        self.answer.cause().unwrap_or("reply").to_owned()
    }
}

#[test]
fn every_language_does_what_every_other_one_does_or_is_listed_with_the_reason() {
    let services = Services::start();
    let server = Server::start(&(sandbox() + "[tenants.acme]\nprivate_networks = [\"127.0.0.0/8\"]\n"));
    let shell = Shell::of(&server);
    shell.does("tenant create acme");
    shell.does("config set shop Corner");
    shell.does("message set hello Hello");
    shell.type_in("message set hello --language hi", "नमस्ते जी".as_bytes()).exits(0);
    let connection = format!("connection set crm --origin http://{} --header X-Api-Key", services.guarded.address);
    shell.type_in(&connection, KEY.as_bytes()).exits(0);

    let cases = cases::all();
    let nodes: Vec<String> =
        languages::ALL.iter().enumerate().map(|(at, language)| deploy(&shell, &services, at, language)).collect();
    let columns: Vec<Vec<Result<String, String>>> = thread::scope(|scope| {
        let mut threads = Vec::new();
        for (language, node) in languages::ALL.iter().zip(&nodes) {
            let (server, services, cases) = (&server, &services, &cases);
            let column = move || cases.iter().map(|case| cell(server, node, language, services, case)).collect();
            threads.push(scope.spawn(column));
        }
        threads.into_iter().map(|column| column.join().unwrap()).collect()
    });

    let matrix = matrix(&cases, &columns);
    println!("{matrix}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    fs::write(folder.join("conformance.md"), &matrix).unwrap();
    let wrong: Vec<&String> = columns.iter().flatten().filter_map(|cell| cell.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for language in &languages::ALL {
        for listed in language.listed() {
            assert!(cases.iter().any(|case| case.name == listed), "{}: there is no case `{listed}`", language.name);
        }
    }
}

/// Makes a node of a language's handler, with every grant that there is for it.
fn deploy(shell: &Shell, services: &Services, at: usize, language: &Language) -> String {
    let node = format!("N{at}");
    shell.does(&format!("node create {node}"));
    shell.type_in(&format!("secret set {node}"), SECRET.as_bytes()).exits(0);
    let limits = "--limit cpu_time=1s --limit wall_time=20s";
    let (open, silent) = (services.open.address, services.silent.address);
    let http = format!("--grant http:http://{open} --grant http:http://{silent} --grant connection:crm");
    let kept = "--grant kv:node --grant kv:messages --grant config --grant state:user";
    shell.does(&format!("deploy {} --node {node} {limits} {http} {kept}", language.handler().display()));
    node
}

/// One cell: what it shows, or what is wrong.
fn cell(server: &Server, node: &str, language: &Language, services: &Services, case: &Case) -> Result<String, String> {
    let send = || {
        let answer = server.send(node, &case.event(language.name, services));
        let record = server.record(&answer);
        Tried { answer, record }
    };
    let first = send();
    let is_met = match &case.expected {
        Expected::Replies(members) => {
            first.message().is_some() && {
                let reply = first.answer.json();
                members.as_object().unwrap().iter().all(|(key, value)| &reply[key] == value)
            }
        }
        Expected::Breaks(cause) => first.answer.cause() == Some(cause.name()),
        Expected::Holds(check) => check(&first, &send()),
    };
    let wrong = |what: &str| {
        let told: String = first.record.to_string().chars().take(2_000).collect();
        Err(format!("{}: {}: {what}: {} {told}", language.name, case.name, first.answer.body))
    };
    match (is_met, language.cannot(case.name)) {
        (true, None) => Ok("✓".to_owned()),
        (false, None) => wrong("it does not"),
        (true, Some(_)) => wrong("it does, and is listed as if it could not"),
        (false, Some(cannot)) if first.outcome() == cannot.instead.name() => Ok(format!("n/a: {}", cannot.why)),
        (false, Some(cannot)) => wrong(&format!("it is listed to end as {} instead", cannot.instead.name())),
    }
}

/// All cells, as a table of Markdown, with the reasons below.
fn matrix(cases: &[Case], columns: &[Vec<Result<String, String>>]) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    let names: Vec<&str> = languages::ALL.iter().map(|language| language.name).collect();
    let mut matrix = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (at, case) in cases.iter().enumerate() {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| match &column[at] {
                Ok(shown) => shown.strip_prefix("n/a: ").map_or_else(
                    || shown.clone(),
                    |why| {
                        let known = reasons.iter().position(|reason| *reason == why);
                        let number = known.unwrap_or_else(|| {
                            reasons.push(why);
                            reasons.len() - 1
                        });
                        format!("n/a ({})", number + 1)
                    },
                ),
                Err(_) => "**wrong**".to_owned(),
            })
            .collect();
        writeln!(matrix, "| {} | {} |", case.name, cells.join(" | ")).unwrap();
    }
    matrix.push('\n');
    reasons.iter().enumerate().for_each(|(at, why)| writeln!(matrix, "{}. {why}", at + 1).unwrap());
    matrix
}
