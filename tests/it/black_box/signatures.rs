//! Who may send events, over the real front door.

use std::fs;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use server::signature::Scheme;

use super::server::{SECRET, Server, event, guest, node, signed};

fn refs(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn each_scheme_opens_a_node_that_accepts_it() {
    let standard = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let artifact = guest("product-price").display().to_string();
    let server = Server::start(&format!(
        "[tenants.acme.nodes.hub]\nartifact = {artifact:?}\nsecrets = [{SECRET:?}]\n\
         [tenants.acme.nodes.standard]\nartifact = {artifact:?}\nsecrets = [{standard:?}]\nschemes = [\"standard\"]\n"
    ));
    let body = event("product_name", "speaker");
    for scheme in [Scheme::Sha1, Scheme::Sha256] {
        assert_eq!(server.post("hub", &refs(&signed(scheme, &body)), &body).status, 200);
        assert_eq!(server.post("standard", &refs(&signed(scheme, &body)), &body).status, 401);
    }
    let secret = server::signature::Secret::new(standard).unwrap();
    let now = std::time::SystemTime::now();
    for (offset, status) in [(0, 200), (290, 200), (310, 401)] {
        for at in [now - std::time::Duration::from_secs(offset), now + std::time::Duration::from_secs(offset)] {
            let headers = server::signature::sign(Scheme::Standard, &secret, &body, "msg_1", at).unwrap();
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            assert_eq!(server.post("standard", &headers, &body).status, status, "{offset} s off");
        }
    }
}

/// The published vectors, through the real door: a right signature is never a 401, whatever else is wrong with the body.
#[test]
fn the_published_vectors_open_the_door_and_every_change_to_them_shuts_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/signatures.json");
    let vectors: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let artifact = guest("product-price").display().to_string();
    let vectors: Vec<_> =
        vectors["hub"].as_array().unwrap().iter().filter(|vector| vector["key"].is_string()).cloned().collect();
    let nodes = vectors.iter().enumerate().map(|(at, vector)| {
        let key = toml_string(vector["key"].as_str().unwrap());
        format!("[tenants.acme.nodes.v{at}]\nartifact = {artifact:?}\nsecrets = [{key}]\n")
    });
    let server = Server::start(&nodes.collect::<String>());
    for (at, vector) in vectors.iter().enumerate() {
        let text = |key: &str| vector[key].as_str().unwrap();
        let (name, value, body) = (text("header"), text("value"), text("body").as_bytes());
        let status = |value: &str, body: &[u8]| server.post(&format!("v{at}"), &[(name, value)], body).status;
        assert!([200, 400].contains(&status(value, body)), "{}", text("name"));
        let (prefix, digest) = value.split_once('=').unwrap();
        assert_ne!(status(&format!("{prefix}={}", digest.to_uppercase()), body), 401, "upper-case digits");
        for wrong in [
            digest.to_owned(),
            format!("{}={digest}", prefix.to_uppercase()),
            format!("{prefix}={}", &digest[1..]),
            format!("{prefix}={digest}0"),
            format!("{prefix}=g{}", &digest[1..]),
            format!("{prefix}={digest},{prefix}={digest}"),
            format!("{prefix}="),
            String::new(),
        ] {
            assert_eq!(status(&wrong, body), 401, "{}: {wrong}", text("name"));
        }
        assert_eq!(status(value, &[body, b" "].concat()), 401);
        assert_eq!(server.post(&format!("v{at}"), &[], body).status, 401, "no signature at all");
    }
}

fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn an_unknown_node_an_unknown_tenant_and_a_wrong_signature_hear_the_same() {
    let server = Server::with_guests(&["product-price"]);
    let body = event("product_name", "speaker");
    let wrong = server.post("product-price", &[("x-hub-signature-256", &format!("sha256={}", "0".repeat(64)))], &body);
    let unknown = server.send("nobody", &body);
    let missing = server.post("product-price", &[], &body);
    for other in [&unknown, &missing] {
        assert_eq!((other.status, &other.body), (wrong.status, &wrong.body));
        let names =
            |answer: &super::http::Answer| answer.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(other), names(&wrong));
    }
    assert_eq!(wrong.status, 401);
}

#[test]
fn two_signature_headers_of_one_name_are_refused_and_two_names_must_both_be_right() {
    let server = Server::with_guests(&["product-price"]);
    let body = event("product_name", "speaker");
    let (sha1, sha256) = (signed(Scheme::Sha1, &body).remove(0), signed(Scheme::Sha256, &body).remove(0));
    let post = |headers: &[&(String, String)]| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        server.post("product-price", &headers, &body).status
    };
    assert_eq!(post(&[&sha1, &sha256]), 200);
    assert_eq!(post(&[&sha1, &sha1]), 400);
    let wrong = (sha1.0.clone(), format!("sha1={}", "0".repeat(40)));
    assert_eq!(post(&[&wrong, &sha256]), 401);
    assert_eq!(post(&[&sha1, &wrong]), 400);
}

#[test]
fn an_event_signed_for_one_node_does_not_open_another_and_a_downgrade_opens_none() {
    let other =
        node("strict", "product-price", "schemes = [\"sha256\"]").replace(SECRET, "another secret, of the strict node");
    let elsewhere = other.replace("tenants.acme.nodes.strict", "tenants.elsewhere.nodes.a");
    let server = Server::start(&(node("a", "product-price", "") + &other + &elsewhere));
    let body = event("product_name", "speaker");
    assert_eq!(server.send("a", &body).status, 200);
    assert_eq!(server.send("strict", &body).status, 401);
    let ours = signed(Scheme::Sha256, &body);
    let headers = [&[("content-type", "application/json")], &refs(&ours)[..]].concat();
    let answer = super::http::exchange(server.front_door, &super::http::post("/hooks/elsewhere/a", &headers, &body));
    assert_eq!(answer.unwrap().status, 401, "the same name in another tenant");
    let secret = server::signature::Secret::new("another secret, of the strict node").unwrap();
    let sign = |scheme| {
        let headers = server::signature::sign(scheme, &secret, &body, "id", std::time::SystemTime::now()).unwrap();
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(server.post("strict", &refs(&sign(Scheme::Sha256)), &body).status, 200);
    assert_eq!(server.post("strict", &refs(&sign(Scheme::Sha1)), &body).status, 401);
}

#[test]
fn both_secrets_are_good_while_one_replaces_the_other() {
    let artifact = guest("product-price").display().to_string();
    let secrets = |list: &str| format!("[tenants.acme.nodes.n]\nartifact = {artifact:?}\nsecrets = [{list}]\n");
    let server = Server::start(&secrets(&format!("\"the new secret, not used yet\", {SECRET:?}")));
    let body = event("product_name", "speaker");
    assert_eq!(server.send("n", &body).status, 200);
    server.rewrite_config(&secrets("\"the new secret, not used yet\""));
    server.wait_for("the retired secret's refusal", || Some(()).filter(|()| server.send("n", &body).status == 401));
}

#[test]
fn only_a_node_that_says_so_takes_unsigned_events() {
    let artifact = guest("product-price").display().to_string();
    let server = Server::start(&format!("[tenants.acme.nodes.open]\nartifact = {artifact:?}\nallow_unsigned = true\n"));
    assert_eq!(server.post("open", &[], &event("product_name", "speaker")).status, 200);
}

#[test]
fn no_mutated_signature_body_or_header_is_ever_accepted() {
    let server = Server::with_guests(&["product-price"]);
    let body = event("product_name", "speaker");
    let signature = signed(Scheme::Sha256, &body).remove(0);
    let strategy = (any::<bool>(), any::<prop::sample::Index>(), 1..=255_u8);
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() });
    runner
        .run(&strategy, |(in_body, at, flip)| {
            let (mut body, mut value) = (body.clone(), signature.1.clone().into_bytes());
            let bytes = if in_body { &mut body } else { &mut value };
            let at = at.index(bytes.len());
            let original = bytes[at];
            bytes[at] ^= flip;
            let same_digit = !in_body && at >= 7 && bytes[at].eq_ignore_ascii_case(&original);
            prop_assume!(!same_digit);
            let request = [
                format!("POST /hooks/acme/product-price HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{}: ", body.len(), signature.0).as_bytes(),
                &value,
                b"\r\n\r\n",
                &body,
            ]
            .concat();
            let status = super::http::exchange(server.front_door, &request).map_or(0, |answer| answer.status);
            prop_assert!(status == 401 || status == 400 || status == 0, "{status}");
            Ok(())
        })
        .unwrap();
}
