//! Takes down in the CRM who would like to hear about a product: once, however often it is sent.
//!
//! There is no credential here. The node is granted a connection, and the host adds its credential to what goes to the CRM.

use std::time::Duration;

use codenode::element::{Action, Button};
use codenode::http::{self, Request, Response};
use codenode::{Error, Event, Reply, handler, json, log};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// For one try, and for the token that the host may have to fetch first; two fit into the ten seconds of a run.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of a name, a product or an address.
const MAX_CHARS: usize = 100;

#[derive(Serialize)]
struct Lead<'a> {
    name: &'a str,
    phone: Option<String>,
    email: Option<&'a str>,
    product: &'a str,
}

/// What the CRM says of one that it has taken.
#[derive(Deserialize)]
struct Taken {
    id: String,
}

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let lead = match Lead::of(&event) {
        Ok(lead) => lead,
        Err(question) => return Ok(Reply::text(question).status(false)),
    };
    let crm = event.env_variables.text("CRM_URL").ok_or("the bot's variable CRM_URL must say where the CRM is")?;
    let request = Request::post(format!("{}/v1/leads", crm.trim_end_matches('/')))
        .header("idempotency-key", key(&event, &lead))
        .json(&lead)
        .timeout(PATIENCE);
    Ok(match send(&request) {
        Ok(response) => thanks(&lead, &response.checked()?.json()?),
        Err(error) => {
            log::error!("{error}");
            hand_over()
        }
    })
}

/// Once more if need be. It may have been taken the first time; by its key the CRM knows it again.
fn send(request: &Request) -> Result<Response, http::Error> {
    match try_once(request) {
        Err(error @ (http::Error::Failed(_) | http::Error::TimedOut(_) | http::Error::Status(..))) => {
            log::warn!("once more: {error}");
            try_once(request)
        }
        tried => tried,
    }
}

/// The response of a CRM that is up and not too busy; 409 says that the first try is still under way.
fn try_once(request: &Request) -> Result<Response, http::Error> {
    let response = request.clone().send()?;
    if matches!(response.status(), 409 | 429 | 500..) { response.checked() } else { Ok(response) }
}

/// The same whenever this lead comes again in this conversation, and another one for every other lead.
fn key(event: &Event, lead: &Lead<'_>) -> String {
    let user = event.user.user_id.as_deref().unwrap_or(&event.user.user_name);
    hex::encode(Sha256::digest(json!([user, event.conversation_no, lead]).to_string()))
}

fn thanks(lead: &Lead<'_>, Taken { id }: &Taken) -> Reply {
    let text =
        format!("Thank you, {}. We will tell you all about the {}; your number is {id}.", lead.name, lead.product);
    let mut reply = Reply::text(text).conversation_detail("lead", id.as_str());
    for (name, value) in [("phone_number", lead.phone.as_deref()), ("email", lead.email)] {
        if let Some(value) = value {
            reply = reply.user_detail(name, value);
        }
    }
    reply
}

fn hand_over() -> Reply {
    let button = Button::new("I cannot take that down right now.").item(Action::say("Talk to a person"));
    Reply::message(button).status(false)
}

impl<'a> Lead<'a> {
    /// Or the question for what is missing.
    fn of(event: &'a Event) -> Result<Self, &'static str> {
        let said = |name: &str| event.entities.text(name);
        let product = said("product_name").and_then(line).ok_or("Which product would you like to hear about?")?;
        let name = said("name").and_then(line).or_else(|| line(&event.user.full_name)).ok_or("What is your name?")?;
        let (phone, email) = (said("phone_number").and_then(phone_number), said("email").and_then(address));
        if phone.is_none() && email.is_none() {
            return Err("What is your phone number or your e-mail address?");
        }
        Ok(Self { name, phone, email, product })
    }
}

fn line(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_one = (1..=MAX_CHARS).contains(&text.chars().count()) && !text.contains(char::is_control);
    is_one.then_some(text)
}

/// `+919876543210` or `9876543210`, however it was typed.
fn phone_number(text: &str) -> Option<String> {
    let number: String = text.chars().filter(|char| !" -.()".contains(*char)).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let is_one = (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then_some(number)
}

/// Whether somebody reads there, only a letter can tell.
fn address(text: &str) -> Option<&str> {
    let text = line(text).filter(|text| !text.contains(char::is_whitespace))?;
    let (user, domain) = text.split_once('@')?;
    let mut labels = domain.split('.');
    let is_one =
        !user.is_empty() && domain.contains('.') && labels.all(|label| !label.is_empty() && !label.contains('@'));
    is_one.then_some(text)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use codenode::http::{Request, Response};
    use codenode::{Event, json, testing};

    use super::{address, handle, phone_number};

    /// A CRM that answers with these statuses, one after another, and the requests that it got.
    fn crm(statuses: &'static [u16]) -> (testing::Answering, Rc<RefCell<Vec<Request>>>) {
        let requests: Rc<RefCell<Vec<Request>>> = Rc::default();
        let seen = Rc::clone(&requests);
        let answering = testing::http(move |request| {
            let mut seen = seen.borrow_mut();
            seen.push(request.clone());
            Response::of_json(statuses[seen.len() - 1], &json!({ "id": "L-1042" }))
        });
        (answering, requests)
    }

    fn lead() -> testing::EventBuilder {
        let event = testing::event("CRM_LEAD").user("user_id", "u-9").with("conversation_no", 3);
        event.entity("name", "Asha").entity("product_name", "speaker").env("CRM_URL", "https://api.example.com/")
    }

    /// What a lead is sent with.
    fn key_of(event: impl Into<Event>) -> String {
        let (_answering, requests) = crm(&[201]);
        testing::run(handle, event).reply();
        requests.borrow()[0].header_value("idempotency-key").unwrap().to_owned()
    }

    #[test]
    fn a_lead_is_taken_down_and_its_number_told() {
        let (_answering, requests) = crm(&[201]);
        let run = testing::run(handle, testing::event_file("event.json"));
        assert_eq!(run.texts(), ["Thank you, आशा. We will tell you all about the speaker; your number is L-1042."]);
        assert_eq!(run.json()["conversation_details"], json!({ "lead": "L-1042" }));
        assert_eq!(run.json()["user_details"], json!({ "phone_number": "+919876543210" }));
        let request = &requests.borrow()[0];
        assert_eq!((request.method(), request.url()), ("POST", "https://api.example.com/v1/leads"));
        let sent = std::str::from_utf8(request.bytes()).unwrap();
        assert_eq!(sent, r#"{"name":"आशा","phone":"+919876543210","email":null,"product":"speaker"}"#);
        assert_eq!(request.header_value("authorization"), None, "the host adds it");
    }

    #[test]
    fn a_crm_that_fails_once_is_sent_the_same_again() {
        for fails in [&[503, 201], &[409, 200], &[429, 201]] {
            let (_answering, requests) = crm(fails);
            let run = testing::run(handle, lead().entity("email", "asha@example.com"));
            assert!(run.texts()[0].contains("L-1042"), "{fails:?}");
            let requests = requests.borrow();
            assert_eq!(requests.len(), 2);
            assert_eq!(requests[0].bytes(), requests[1].bytes());
            assert_eq!(requests[0].header_value("idempotency-key"), requests[1].header_value("idempotency-key"));
        }
    }

    #[test]
    fn a_lead_has_the_same_key_in_its_conversation_and_no_other_has_it() {
        let event = || lead().entity("email", "asha@example.com");
        let key = key_of(event());
        assert!(key.len() == 64 && key == key_of(event()), "{key}");
        for other in [
            event().user("user_id", "u-10"),
            event().with("conversation_no", 4),
            lead().entity("email", "asha@example.org"),
            event().entity("phone_number", "98765 43210"),
        ] {
            assert_ne!(key_of(other), key);
        }
    }

    #[test]
    fn a_crm_that_is_down_hands_over_to_a_person() {
        let (_answering, requests) = crm(&[500, 500]);
        let run = testing::run(handle, testing::event_file("event.json"));
        assert!(run.json().to_string().contains("Talk to a person"));
        assert!(!run.reply().succeeded() && run.json()["conversation_details"].is_null());
        assert_eq!((requests.borrow().len(), run.logs().len()), (2, 2));
    }

    #[test]
    fn what_the_crm_refuses_is_for_the_author_to_see() {
        let (_answering, requests) = crm(&[422]);
        let run = testing::run(handle, testing::event_file("event.json"));
        assert!(run.error().contains("422"), "{}", run.error());
        assert_eq!(requests.borrow().len(), 1);
    }

    #[test]
    fn what_is_missing_is_asked_for() {
        let (_answering, requests) = crm(&[]);
        let event = || testing::event("CRM_LEAD");
        for (event, question) in [
            (event(), "Which product"),
            (event().entity("product_name", "speaker"), "your name?"),
            (event().entity("product_name", "speaker").user("full_name", "Asha"), "your phone number or"),
            (lead(), "your phone number or"),
            (lead().entity("email", "asha@home").entity("phone_number", "12"), "your phone number or"),
            (event().entity("product_name", "x".repeat(101)), "Which product"),
        ] {
            let run = testing::run(handle, event);
            assert!(run.texts()[0].contains(question) && !run.reply().succeeded(), "{:?}", run.texts());
        }
        assert!(requests.borrow().is_empty());
    }

    #[test]
    fn numbers_and_addresses_are_known_as_they_are_typed() {
        for (typed, number) in [
            ("+91 98765-43210", Some("+919876543210")),
            ("(030) 123.4567", Some("0301234567")),
            ("1234567", None),
            ("1234567890123456", None),
            ("call 98765 43210", None),
            ("98765+43210", None),
        ] {
            assert_eq!(phone_number(typed).as_deref(), number);
        }
        assert_eq!(address(" asha@mail.example.com "), Some("asha@mail.example.com"));
        for wrong in ["", "asha", "@example.com", "asha@home", "asha@.com", "asha@b@example.com", "as ha@example.com"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
