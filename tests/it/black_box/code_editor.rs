//! Scripts as people write them in a platform's Code Editor, to its documented contract, in `tests/fixtures/code_editor`: pasted unchanged, asked by
//! the webhook, with a service of this machine in the place of the API that they call.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use ::server::signature::{Scheme, Secret, sign};
use serde_json::{Value, json};

use super::http::Answer;
use super::server::{SECRET, Server};
use super::service::{Received, Service, response};
use super::shell::Shell;
use super::source_nodes::sandbox;

/// A server whose nodes are scripts, and the service that they may ask.
struct Editor {
    server: Server,
    shell: Shell,
    service: Service,
}

impl Editor {
    fn open(answer: impl Fn(&Received) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let service = Service::http(move |request| {
            let (status, body) = answer(request);
            response(status, "content-type: application/json\r\n", body.to_string().as_bytes())
        });
        let server = Server::start(&(sandbox() + "[tenants.acme]\nprivate_networks = [\"127.0.0.0/8\"]\n"));
        let shell = Shell::of(&server);
        shell.does("tenant create acme");
        Self { server, shell, service }
    }

    /// Pastes a script into a node of its own, and gives that one's name.
    fn paste(&self, script: &str) -> String {
        let node = script.replace('.', "_");
        self.shell.does(&format!("node create {node}"));
        self.shell.type_in(&format!("secret set {node}"), SECRET.as_bytes()).exits(0);
        let grant = format!("--grant http:http://{}", self.service.address);
        self.shell.does(&format!("deploy {} --node {node} {grant}", fixture(script).display()));
        node
    }

    /// Asks a node with these entities, and other parts of the event.
    fn ask(&self, node: &str, entities: &Value, parts: &Value) -> Answer {
        let mut event = json!({
            "node": "N", "event": "API_INTEGRATION", "conversation_no": 7, "conversation_details": {}, "user_details": {},
            "user": { "user_id": "u-1", "user_name": "asha.v", "full_name": "आशा वर्मा", "device_platform": 14,
                      "language_code": "en", "auth_id": "", "auth_code": "" },
            "entities": {}, "env_variables": {},
        });
        for (name, value) in entities.as_object().unwrap() {
            event["entities"][name] = json!([{ "detection": "message", "original_text": "", "entity_value": value }]);
        }
        for variable in ["ORDER_API", "SMS_API", "CREATE_LEAD_API", "BALANCE_API"] {
            event["env_variables"][variable] = json!(self.service.url(""));
        }
        for (part, members) in parts.as_object().unwrap() {
            event[part].as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        }
        self.server.send(node, event.to_string().as_bytes())
    }

    /// The reply to that.
    fn reply(&self, node: &str, entities: &Value, parts: &Value) -> Value {
        let answer = self.ask(node, entities, parts);
        assert_eq!(answer.status, 200, "{node}: {} {}", answer.body, self.server.record(&answer));
        answer.json()
    }
}

fn fixture(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/code_editor").join(script)
}

/// A message element of a reply.
fn element(reply: &Value, at: usize) -> Value {
    serde_json::from_str(reply["response"][at].as_str().unwrap()).unwrap()
}

/// What the shop's API says.
fn shop(request: &Received) -> (u16, Value) {
    let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    if asked["orderId"] == "71" {
        let order = json!({ "status": "SHIPPED", "tracking_url": "https://t.example.com/71", "amount": 1499.5 });
        (200, json!({ "success": true, "data": order }))
    } else {
        (404, json!({ "success": false }))
    }
}

#[test]
fn an_order_is_looked_up_with_requests_and_with_fetch() {
    let editor = Editor::open(shop);
    let python = editor.paste("order_lookup.py");
    let reply = editor.reply(&python, &json!({ "order_id": "71" }), &json!({}));
    assert_eq!((&reply["response"][0], &reply["status"]), (&json!("Your order 71 is on the way."), &json!(true)));
    assert_eq!(reply["conversation_details"], json!({ "order_id": "71", "amount": 1499.5 }));
    assert_eq!(element(&reply, 1)["data"]["items"][0]["payload"]["url"], "https://t.example.com/71");
    let javascript = editor.paste("order_lookup.js");
    let reply = editor.reply(&javascript, &json!({ "order_id": "71" }), &json!({}));
    assert_eq!(reply["response"], json!(["Your order 71 is shipped. Total: Rs. 1499.50"]));
    for node in [python, javascript] {
        let reply = editor.reply(&node, &json!({ "order_id": "72" }), &json!({}));
        assert_eq!(reply["response"], json!(["Sorry, we could not find order 72."]), "{node}");
        let reply = editor.reply(&node, &json!({}), &json!({}));
        assert_eq!((&reply["response"][0], &reply["status"]), (&json!("Please share your order id"), &json!(false)));
    }
}

#[test]
fn an_otp_is_sent_and_verified() {
    let sent: Arc<Mutex<Vec<Value>>> = Arc::default();
    let seen = Arc::clone(&sent);
    let editor = Editor::open(move |request| {
        assert_eq!(request.header("authorization"), Some("Basic dGVzdDp0ZXN0"));
        seen.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
        (200, json!({ "sent": true }))
    });
    let node = editor.paste("otp.py");
    let phone = json!(8_826_755_986_u64);
    let reply = editor.reply(&node, &json!({ "phone_number": phone }), &json!({}));
    assert_eq!(reply["response"], json!(["We have sent an OTP to ******5986"]));
    let code: String = sent.lock().unwrap()[0]["message"].as_str().unwrap().chars().take(6).collect();
    let kept = json!({ "conversation_details": reply["conversation_details"] });
    let wrong = editor.reply(&node, &json!({ "phone_number": phone, "otp": "12" }), &kept);
    assert_eq!(wrong["response"], json!(["That OTP is not correct, 2 tries left"]));
    let right = editor.reply(&node, &json!({ "phone_number": phone, "otp": code }), &kept);
    assert_eq!(right["user_details"], json!({ "verified_mobile": "8826755986" }));
    let again = editor.reply(&node, &json!({ "phone_number": phone }), &json!({}));
    assert_ne!(again["conversation_details"]["otp_hash"], reply["conversation_details"]["otp_hash"]);
}

#[test]
fn a_lead_is_captured_and_a_crm_that_is_down_is_told_in_words() {
    let leads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&leads);
    let editor = Editor::open(move |request| {
        assert!(request.head.starts_with("POST /?accessKey=u%24r1234&secretKey=s+p+a+c+e "), "{}", request.head);
        let lead: Value = serde_json::from_slice(&request.body).unwrap();
        assert!(lead.as_array().unwrap().contains(&json!({ "Attribute": "Source", "Value": "WhatsApp" })), "{lead}");
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first { (200, json!({ "Message": { "Id": "L-7" } })) } else { (503, json!({})) }
    });
    let node = editor.paste("lead_capture.py");
    let lead = json!({ "email": "a@b.com", "phone_number": "8826755986", "product_name": "headphones" });
    let reply = editor.reply(&node, &lead, &json!({}));
    assert!(reply["response"][0].as_str().unwrap().starts_with("Thanks आशा वर्मा! "), "{reply}");
    assert_eq!(reply["user_details"], json!({ "lead_id": "L-7" }));
    let answer = editor.ask(&node, &lead, &json!({}));
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!(false)));
    let log = editor.server.record(&answer)["log"].to_string();
    assert!(log.contains("lead api failed 503") && log.contains("\"error\""), "{log}");
}

#[test]
fn hindi_or_english_goes_by_the_language_code() {
    let editor = Editor::open(|_| (404, json!({})));
    let node = editor.paste("hindi_english.py");
    let texts = ["hi", "en", "ta"].map(|language| {
        let reply = editor.reply(&node, &json!({}), &json!({ "user": { "language_code": language } }));
        element(&reply, 0)["text"].as_str().unwrap().to_owned()
    });
    let english = "Hello आशा! How can I help you?";
    assert_eq!(texts, ["नमस्ते आशा! मैं आपकी क्या सहायता कर सकती हूँ?", english, english]);
    let node = editor.paste("language_menu.js");
    let visited = json!({ "user": { "language_code": "hi" }, "conversation_details": { "visits": "4" } });
    let reply = editor.reply(&node, &json!({}), &visited);
    assert_eq!(
        (&element(&reply, 0)["text"], &reply["conversation_details"]["visits"]),
        (&json!("सेवा चुनें"), &json!("5"))
    );
}

#[test]
fn dates_are_counted_with_pytz_and_dateutil() {
    let editor = Editor::open(|_| (404, json!({})));
    let node = editor.paste("slot_dates.py");
    let date = |yy: u32| json!({ "value": { "dd": 14, "mm": 8, "yy": yy, "type": "date" } });
    let reply =
        editor.reply(&node, &json!({ "date": date(2040), "time": { "hh": 3, "mm": 30, "nn": "pm" } }), &json!({}));
    assert_eq!(
        reply["response"],
        json!(["Your visit is on 14 August 2040, 03:30 PM IST.", "Other days: Thu 16 Aug, Fri 17 Aug, Sat 18 Aug"])
    );
    assert_eq!((&reply["slot_utc"], &reply["expires_on"]), (&json!("2040-08-14T10:00:00Z"), &json!("2040-09-14")));
    let past = editor.reply(&node, &json!({ "date": date(2020) }), &json!({}));
    assert_eq!(past["status"], false);
    let node = editor.paste("callback_slots.js");
    let reply = editor.reply(&node, &json!({ "now": "2030-01-01T16:50:00Z" }), &json!({}));
    let slots: Vec<Value> = element(&reply, 0)["data"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["actionable_text"].clone())
        .collect();
    assert_eq!(slots, ["17:00", "17:30", "09:00"]);
}

#[test]
fn what_is_computed_comes_out_as_it_does_anywhere_else() {
    let editor = Editor::open(|_| (404, json!({})));
    let node = editor.paste("validate_fields.py");
    let reply = editor.reply(&node, &json!({ "pan": "abcde1234f", "pincode": "560 001" }), &json!({}));
    assert_eq!(reply["invalid"], json!(["pincode", "registration number"]));
    let fields = json!({ "pan": " abcde1234f ", "pincode": "560001", "reg_no": "ka 05  mh 1234" });
    let reply = editor.reply(&node, &fields, &json!({}));
    assert_eq!(reply["response"], json!(["Thank you. PAN ABXXXXXX4F, pincode 560001, vehicle KA-05-MH-1234"]));

    let node = editor.paste("payment_link.py");
    let reply = editor.reply(&node, &json!({ "amount": { "value": "1234.565" } }), &json!({}));
    let element = element(&reply, 0);
    assert_eq!(element["text"], "Amount payable: Rs. 1,456.79 (incl. GST)");
    let url = element["data"]["items"][0]["payload"]["url"].as_str().unwrap();
    let (query, checksum) = url.rsplit_once("&checksum=").unwrap();
    let values: Vec<&str> = query.split(['?', '&']).skip(1).map(|pair| pair.split_once('=').unwrap().1).collect();
    let [merchant, amount, txn, udf] = values[..] else { panic!("{url}") };
    let signed = format!("{amount}|{merchant}|{txn}|{}", udf.replace("%3D", "="));
    // The same HMAC-SHA256 as GitHub's, which is shown in hexadecimal digits behind its name.
    let salt = Secret::new("9a1f0c77-salt").unwrap();
    let headers = sign(Scheme::Sha256, &salt, signed.as_bytes(), "", SystemTime::now()).unwrap();
    assert_eq!(headers[0].1.to_str().unwrap(), format!("sha256={checksum}"));

    let node = editor.paste("cart_total.py");
    let item = json!({ "sku": "A1", "qty": { "value": "2", "unit": "quantity" }, "price": 349.5 });
    let asked = json!({ "cart": { "items": [item] }, "budget": { "min_value": null, "max_value": "500" } });
    let reply = editor.reply(&node, &asked, &json!({}));
    assert_eq!((&reply["branch"], &reply["status"]), (&json!("over_budget"), &json!(false)));

    let node = editor.paste("emi_calculator.js");
    let reply = editor.reply(&node, &json!({ "loan_amount": { "value": "500000" } }), &json!({}));
    assert_eq!(reply["response"], json!(["Your EMI is ₹10,501 for 60 months", "Total interest: ₹1,30,056"]));
}

#[test]
fn chance_and_logs_are_a_runs_own() {
    let editor = Editor::open(|_| (404, json!({})));
    let node = editor.paste("small_talk.py");
    let said: BTreeSet<String> = (0..40)
        .map(|_| editor.reply(&node, &json!({ "small_talk": "greeting" }), &json!({}))["response"][0].to_string())
        .collect();
    assert_eq!(said.len(), 3, "{said:?}");
    let node = editor.paste("debug_logging.py");
    let answer = editor.ask(&node, &json!({}), &json!({}));
    assert_eq!(answer.json()["response"], json!(["No items"]));
    let log = editor.server.record(&answer)["log"]["lines"].as_array().unwrap().clone();
    let has = |level: &str, text: &str| {
        log.iter().any(|line| line["level"] == level && line["text"].as_str().unwrap().contains(text))
    };
    assert!(has("info", "Event received:") && has("warn", "ZeroDivisionError: division by zero"), "{log:?}");
    assert!(has("warn", "user asha.v") && has("warn", "risky failed"), "{log:?}");
}

#[test]
fn a_flaky_api_is_asked_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let editor = Editor::open(move |request| {
        assert!(request.head.starts_with("GET /balance?msisdn=8826755986 "), "{}", request.head);
        let is_third = count.fetch_add(1, Ordering::SeqCst) % 3 == 2;
        let balance = json!({ "balance": 42, "plan": { "name": "Max", "validTill": "2031-05-01T00:00:00Z" } });
        if is_third { (200, balance) } else { (502, json!({})) }
    });
    let node = editor.paste("retry_webhook.js");
    let reply = editor.reply(&node, &json!({ "phone_number": "8826755986" }), &json!({}));
    assert_eq!(reply["response"], json!(["Balance ₹42, plan Max valid till 01/05/2031"]));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}
