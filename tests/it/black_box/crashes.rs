//! A host that is killed in the middle of uploads, promotions and runs: what it had acknowledged is there when it comes back, and all of the
//! rest is there as a whole or not at all.

use std::env;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::{Value, json};
use server::signature::{Scheme, Secret, sign};

use super::deliveries::STANDARD_SECRET;
use super::hosts::{NODE, take_standard_webhooks};
use super::http::{self, Answer};
use super::server::{SECRET, Server, event};
use crate::support::guest;

/// How often the host is killed, where it is to be more than usual.
const ROUNDS: &str = "CODENODE_TEST_CRASHES";
const USUAL_ROUNDS: u32 = 50;
/// The longest that a host lives.
const LIFE: Duration = Duration::from_millis(400);

/// What the author and the sender were told.
#[derive(Default)]
struct Told {
    /// Each revision's number and artifact.
    revisions: Vec<(u64, String)>,
    live: Option<u64>,
    /// A promotion whose answer did not come.
    perhaps_live: Option<u64>,
    /// Each delivery's number, run and answer.
    answers: Vec<(u32, String, String)>,
    uploads: u64,
    deliveries: u32,
}

/// An artifact that nobody has uploaded before.
fn artifact(number: u64) -> Vec<u8> {
    let custom_section = [&[0, 10, 1, b'n'][..], &number.to_be_bytes()].concat();
    [guest::named("answers"), custom_section].concat()
}

/// The answer, if the host lived to give it.
fn ask(server: &Server, method: &str, path: &str, body: &[u8]) -> Option<Value> {
    let token = server.authorization();
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let answer = http::attempt(server.management, &http::request(method, path, &headers, body))?;
    assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
    Some(answer.json())
}

fn deliver(front_door: SocketAddr, number: u32) -> Option<Answer> {
    let (event, id) = (event("a", "b"), format!("msg_{number}"));
    let secret = Secret::new(STANDARD_SECRET).unwrap();
    let signed = sign(Scheme::Standard, &secret, &event, &id, SystemTime::now()).unwrap();
    let signed = signed.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let headers: Vec<(&str, &str)> = signed.chain([("content-type", "application/json")]).collect();
    http::attempt(front_door, &http::post("/hooks/acme/N", &headers, &event))
}

impl Told {
    /// Uploads, makes revisions and promotes them until nobody answers.
    fn author(&mut self, server: &Server) -> Option<()> {
        loop {
            self.uploads += 1;
            let uploaded = ask(server, "POST", "/v1/tenants/acme/artifacts", &artifact(self.uploads))?;
            let artifact = uploaded["artifact"].as_str().unwrap().to_owned();
            let wanted = json!({ "artifact": artifact }).to_string();
            let made = ask(server, "POST", &format!("{NODE}/revisions"), wanted.as_bytes())?;
            let number = made["number"].as_u64().unwrap();
            self.revisions.push((number, artifact));
            self.perhaps_live = Some(number);
            ask(server, "POST", &format!("{NODE}/promote"), json!({ "revision": number }).to_string().as_bytes())?;
            (self.live, self.perhaps_live) = (Some(number), None);
        }
    }

    /// Sends events until nobody answers.
    fn sender(answers: &mut Vec<(u32, String, String)>, next: &mut u32, server: &Server) -> Option<()> {
        loop {
            *next += 1;
            let answer = deliver(server.front_door, *next)?;
            assert_eq!((answer.status, answer.header("x-codenode-repeated")), (200, None), "{}", answer.body);
            answers.push((*next, answer.header("x-codenode-run").unwrap().to_owned(), answer.body));
        }
    }

    fn check(&mut self, server: &Server) {
        let node = server.manage(NODE).json();
        let live = node["live"].as_u64();
        assert!(
            [self.live, self.perhaps_live].contains(&live),
            "{node} after {:?}, {:?}",
            self.live,
            self.perhaps_live
        );
        (self.live, self.perhaps_live) = (live, None);
        let serving = server.manage("/v1/nodes").json()["nodes"][0].clone();
        assert_eq!(
            (&serving["condition"], &serving["source"]["revision"]),
            (&json!("live"), &node["live"]),
            "{serving}"
        );

        let listed = server.manage(&format!("{NODE}/revisions?limit=1000")).json();
        let listed: Vec<(u64, &str)> = listed["revisions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|revision| (revision["number"].as_u64().unwrap(), revision["artifact"].as_str().unwrap()))
            .collect();
        for (number, artifact) in &self.revisions {
            assert!(listed.contains(&(*number, artifact)), "revision {number} is gone");
        }
        for (number, artifact) in listed {
            let known = server.manage(&format!("/v1/tenants/acme/artifacts/{artifact}"));
            assert_eq!(known.status, 200, "revision {number} has no artifact");
        }
        for (number, run, body) in self.answers.iter().rev().take(3) {
            let again = deliver(server.front_door, *number).unwrap();
            assert_eq!((again.header("x-codenode-repeated"), &again.body), (Some("true"), body), "delivery {number}");
            assert_eq!(again.header("x-codenode-run"), Some(run.as_str()));
        }
    }
}

#[test]
fn what_a_host_has_acknowledged_outlives_it() {
    let rounds = env::var(ROUNDS).map_or(USUAL_ROUNDS, |rounds| rounds.parse().unwrap());
    let mut server = Server::start("");
    server.change("POST", "/v1/tenants", &json!({ "id": "acme" }));
    server.change("POST", "/v1/tenants/acme/nodes", &json!({ "id": "N" }));
    server.change("POST", &format!("{NODE}/secrets"), &json!({ "secret": SECRET }));
    take_standard_webhooks(&server);
    let uploaded = server.ask("POST", "/v1/tenants/acme/artifacts", &artifact(0)).json();
    server.change("POST", &format!("{NODE}/revisions"), &json!({ "artifact": uploaded["artifact"] }));
    server.change("POST", &format!("{NODE}/promote"), &json!({ "revision": 1 }));

    let mut told = Told { live: Some(1), ..Told::default() };
    for round in 0..rounds {
        // Spread over its life, and never twice the same.
        let life = LIFE.mul_f64(f64::from(round.wrapping_mul(2_654_435_769)) / f64::from(u32::MAX));
        let (mut answers, mut next) = (Vec::new(), told.deliveries);
        thread::scope(|scope| {
            scope.spawn(|| told.author(&server));
            scope.spawn(|| Told::sender(&mut answers, &mut next, &server));
            thread::sleep(life);
            server.signal(Signal::KILL);
        });
        (told.answers, told.deliveries) = (answers, next);
        server = server.kill_and_start_again();
        told.check(&server);
    }
    assert!(told.revisions.len() > 10, "only {} revisions in {rounds} lives", told.revisions.len());
    assert!(told.deliveries > 10 * rounds, "only {} events in {rounds} lives", told.deliveries);
}
