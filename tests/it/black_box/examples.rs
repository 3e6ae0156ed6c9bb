//! The example handlers, compiled from source, over HTTP.

use std::sync::{Arc, Barrier, Mutex};

use serde_json::{Value, json};

use super::server::{Server, event, fixture, guest, node};
use super::service::{Received, Service, response};

const SDK_EXAMPLES: [&str; 6] =
    ["product-price", "order-status", "weather-cards", "crm-lead", "appointment", "echo-command"];
const EVENTS: [&str; 5] =
    ["full_2021.json", "many_entities.json", "minimal_2018.json", "no_entities.json", "step_2023.json"];

/// A server whose only node is this example, which may ask this service.
fn server_of(example: &str, service: &Service) -> Server {
    let grants = format!("grants = [\"http:http://{}\"]", service.address);
    Server::start(&(node(example, example, &grants) + "[tenants.acme]\nprivate_networks = [\"127.0.0.0/8\"]\n"))
}

/// An example's own event, with the service under the variable that it is to be found by.
fn event_of(example: &str, variable: &str, service: &Service) -> Vec<u8> {
    let mut event: Value = serde_json::from_str(example).unwrap();
    event["env_variables"][variable] = json!(service.url(""));
    event.to_string().into_bytes()
}

#[test]
fn every_real_event_is_answered_by_every_example() {
    let server = Server::with_guests(&SDK_EXAMPLES);
    for example in SDK_EXAMPLES {
        for name in EVENTS {
            let answer = server.send(example, &fixture(name));
            assert_eq!(answer.status, 200, "{example} on {name}: {}", answer.body);
            assert!(
                answer.json()["response"].as_array().is_some_and(|messages| !messages.is_empty()),
                "{}",
                answer.body
            );
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
}

#[test]
fn the_same_source_answers_the_same_in_each_form_that_it_can_be_built_in() {
    let forms = ["product-price", "product-price-p2", "echo-command", "echo-command-p2"];
    let server = Server::with_guests(&forms);
    let speaker = event("product_name", "speaker");
    let answers: Vec<String> = forms.iter().map(|form| server.send(form, &speaker).body).collect();
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[2], answers[3]);
    insta::assert_snapshot!(answers[0], @r#"{"status":true,"response":["The price of the speaker is ₹1500."]}"#);
}

#[test]
fn the_same_handler_answers_the_same_in_each_language() {
    let commands = ["price-c", "price-go", "price-zig", "price-assemblyscript"];
    let server = Server::with_guests(&[&commands[..], &["product-price"]].concat());
    let object = json!({ "entities": { "product_name": [{ "entity_value": { "value": "2", "unit": "quantity" } }] } });
    let mut events: Vec<Vec<u8>> = EVENTS.iter().map(|name| fixture(name)).collect();
    events.extend(["speaker", "powerbank", "", "स्पीकर 😊"].map(|product| event("product_name", product)));
    events.push(object.to_string().into_bytes());
    events.push(event("product_name", &"speaker".repeat(15_000)));
    for event in events {
        let expected = server.send("product-price", &event);
        assert_eq!(expected.status, 200, "{}", expected.body);
        for command in commands {
            let answer = server.send(command, &event);
            assert_eq!((answer.status, answer.json()), (200, expected.json()), "{command}: {}", server.record(&answer));
        }
    }
}

#[test]
fn elements_go_to_the_platform_as_strings_that_hold_json() {
    let server = Server::with_guests(&["order-status"]);
    let reply = server.send("order-status", &fixture("minimal_2018.json")).json();
    let messages: Vec<&str> =
        reply["response"].as_array().unwrap().iter().map(|message| message.as_str().unwrap()).collect();
    let kinds: Vec<String> = messages
        .iter()
        .filter_map(|message| serde_json::from_str::<Value>(message).ok())
        .map(|element| element["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["BUTTON", "CAROUSEL"]);
}

#[test]
fn a_lead_comes_with_one_key_however_often_and_a_person_takes_over_from_a_crm_that_is_down() {
    let seen: Arc<Mutex<Vec<Received>>> = Arc::default();
    let crm = {
        let seen = Arc::clone(&seen);
        Service::http(move |request| {
            let mut seen = seen.lock().unwrap();
            seen.push(Received { head: request.head.clone(), body: request.body.clone() });
            if seen.len() == 2 { response(201, "", br#"{"id":"L-1042"}"#) } else { response(503, "", b"") }
        })
    };
    let server = server_of("crm-lead", &crm);
    let event = event_of(include_str!("../../../examples/crm-lead/event.json"), "CRM_URL", &crm);
    let taken = server.send("crm-lead", &event);
    insta::assert_snapshot!(taken.body, @r#"{"status":true,"response":["Thank you, आशा. We will tell you all about the speaker; your number is L-1042."],"conversation_details":{"lead":"L-1042"},"user_details":{"phone_number":"+919876543210"}}"#);
    let handed_over = server.send("crm-lead", &event);
    assert_eq!((handed_over.status, &handed_over.json()["status"]), (200, &json!(false)));
    assert!(handed_over.body.contains("Talk to a person"), "{}", handed_over.body);

    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 4);
    for received in seen.iter() {
        assert!(received.head.starts_with("POST /v1/leads HTTP/1.1\r\n"), "{}", received.head);
        assert_eq!(received.header("idempotency-key").map(str::len), Some(64));
        assert_eq!(received.header("idempotency-key"), seen[0].header("idempotency-key"));
        assert_eq!(received.body, seen[0].body);
    }
}

#[test]
fn cities_are_asked_for_all_at_once_and_one_that_fails_has_a_card_that_says_so() {
    // Nobody is answered before all three have asked.
    let together = Barrier::new(3);
    let service = Service::http(move |request| {
        together.wait();
        let fails = request.head.starts_with("GET /v1/weather?city=Mumbai ");
        if fails { response(503, "", b"") } else { response(200, "", br#"{"sky":"haze","celsius":31.6}"#) }
    });
    let server = server_of("weather-cards", &service);
    let event = event_of(include_str!("../../../examples/weather-cards/event.json"), "WEATHER_URL", &service);
    let answer = server.send("weather-cards", &event);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let carousel: Value = serde_json::from_str(answer.json()["response"][0].as_str().unwrap()).unwrap();
    let texts = |card: &Value| json!([card["title"], card["sub_title"], card["description"]]);
    let cards: Vec<Value> = carousel["data"]["items"].as_array().unwrap().iter().map(texts).collect();
    let failed = json!(["Mumbai", "", "I cannot tell right now."]);
    assert_eq!(cards, [json!(["Pune", "32 °C", "haze"]), json!(["दिल्ली", "32 °C", "haze"]), failed]);
    assert_eq!(server.record(&answer)["usage"]["http_calls"], 3);
}

#[test]
fn where_no_city_is_told_it_is_the_services_failure() {
    let service = Service::http(|_| response(503, "", b""));
    let server = server_of("weather-cards", &service);
    let event = event_of(include_str!("../../../examples/weather-cards/event.json"), "WEATHER_URL", &service);
    let answer = server.send("weather-cards", &event);
    assert_eq!((answer.status, answer.cause()), (502, Some("upstream_failed")), "{}", answer.body);
}

/// The interpreters have functions of hundreds of kilobytes and tables of thousands: the gates must let them through.
#[test]
fn cpython_and_spidermonkey_run_as_they_are() {
    let server = Server::with_guests(&["python", "javascript"]);
    for (guest, greeting) in [("python", "python"), ("javascript", "javascript")] {
        let answer = server.send(guest, &fixture("full_2021.json"));
        assert_eq!(answer.status, 200, "{}; {}", answer.body, server.record(&answer));
        assert!(answer.body.contains(greeting) && answer.body.contains("LEAD_CAPTURE"), "{}", answer.body);
    }
}

#[test]
fn a_release_handler_of_the_sdk_is_smaller_than_200_kib() {
    for name in ["product-price", "order-status", "appointment", "naughty", "product-price-p2"] {
        let bytes = std::fs::metadata(guest(name)).unwrap().len();
        assert!(bytes < 200 << 10, "{name} has {bytes} bytes");
    }
}

#[test]
fn each_misbehaviour_is_a_bot_break_with_its_cause_and_the_neighbours_go_on() {
    let server = Server::start(
        &(node("naughty", "naughty", "limits = { cpu_time = \"200ms\" }") + &node("good", "product-price", "")),
    );
    for (misbehaviour, status, cause) in [
        ("loop", 504, "out_of_cpu"),
        ("eat_memory", 502, "out_of_memory"),
        ("recurse", 502, "out_of_stack"),
        ("panic", 502, "trap"),
        ("error", 502, "exception"),
        ("empty", 502, "reply_empty"),
        ("bad_json", 502, "reply_not_json"),
        ("wrong_shape", 502, "reply_wrong_shape"),
        ("huge_reply", 502, "reply_too_large"),
        ("out_of_bounds", 502, "trap"),
        ("divide_by_zero", 502, "trap"),
    ] {
        let answer = server.send("naughty", &event("misbehave", misbehaviour));
        assert_eq!((answer.status, answer.cause()), (status, Some(cause)), "{misbehaviour}");
        assert_eq!(
            answer.body,
            format!("{{\"error\":\"bot break: {cause}\"}}"),
            "nothing of the guest's reaches the caller"
        );
        let record = server.record(&answer);
        assert_eq!(record["outcome"]["bot_break"]["cause"], cause, "{record}");
        assert_eq!(server.send("good", &event("product_name", "speaker")).status, 200);
    }
    let answer = server.send("naughty", &event("misbehave", "log_flood"));
    let record = server.record(&answer);
    assert_eq!(answer.status, 200);
    assert!(record["log"]["dropped_bytes"].as_u64().unwrap() > 100_000, "{}", record["usage"]);
}

#[test]
fn a_panic_is_explained_to_its_author_by_its_own_words_and_place() {
    let server = Server::with_guests(&["naughty"]);
    let record = server.record(&server.send("naughty", &event("misbehave", "panic")));
    let bot_break = &record["outcome"]["bot_break"];
    let detail = bot_break["detail"].as_str().unwrap();
    assert!(detail.contains("the cat walked over the keyboard") && detail.contains("src/lib.rs"), "{detail}");
    assert_eq!(bot_break["blame"], "author");
    let frames = bot_break["backtrace"].to_string();
    assert!(frames.contains("naughty::panic"), "{frames}");
    assert!(
        !record.to_string().contains(env!("CARGO_MANIFEST_DIR").split("/runtime").next().unwrap()),
        "a path of this machine"
    );
}

#[test]
fn a_backtrace_names_file_and_line_where_the_guest_has_them() {
    let server = Server::with_guests(&["naughty-debug"]);
    let record = server.record(&server.send("naughty-debug", &event("misbehave", "panic")));
    let source = include_str!("../../../examples/naughty/src/lib.rs");
    let line = source.lines().position(|line| line.contains("panic!(")).unwrap() + 1;
    let frames = record["outcome"]["bot_break"]["backtrace"].as_array().unwrap();
    let place = format!("naughty/src/lib.rs:{line}:");
    assert!(
        frames.iter().any(|frame| frame["location"].as_str().is_some_and(|location| location.starts_with(&place))),
        "{frames:#?}"
    );
    let recursion = server.record(&server.send("naughty-debug", &event("misbehave", "recurse")));
    let deepest = recursion["outcome"]["bot_break"]["backtrace"]
        .as_array()
        .unwrap()
        .iter()
        .map(|frame| frame["times"].as_u64().unwrap())
        .max();
    assert!(deepest.is_some_and(|times| times > 10), "a recursion is one frame: {recursion}");
}
