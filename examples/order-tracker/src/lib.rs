//! Where an order is, by the shop's own service: asked twice if need be, and handed over to a person when it is down. What it says is what people have
//! written as messages, and where they have not, the words below, in English or Hindi.

use std::time::Duration;

use codenode::element::{Action, Button};
use codenode::http::{self, Request, Response};
use codenode::messages::{self, Messages, fill};
use codenode::{Error, Event, Reply, handler, log};
use serde::Deserialize;

/// Where the platform says that the service is; its node is granted the same origin.
const DEFAULT_SERVICE: &str = "https://orders.example.com";

/// For one try; two fit into the ten seconds of a run.
const PATIENCE: Duration = Duration::from_secs(3);
const TRIES: u32 = 2;

const WHICH: Text =
    Text {
        key: "order.which", english: "Which order do you mean?", hindi: "आप किस ऑर्डर के बारे में पूछ रहे हैं?"
    };
const NOT_FOUND: Text =
    Text {
        key: "order.not_found", english: "I cannot find the order {order}.", hindi: "मुझे ऑर्डर {order} नहीं मिला।"
    };
const STATE: Text =
    Text { key: "order.state", english: "Order {order} is {state}.", hindi: "ऑर्डर {order}: {state}।" };
const STATE_AND_DAY: Text = Text {
    key: "order.state_and_day",
    english: "Order {order} is {state} and should arrive on {day}.",
    hindi: "ऑर्डर {order}: {state}। पहुँचने का दिन: {day}।",
};
const DOWN: Text =
    Text {
        key: "order.down", english: "I cannot look that up right now.", hindi: "मैं अभी यह नहीं देख सकता।"
    };
const PERSON: Text = Text {
    key: "order.person", english: "Talk to a person", hindi: "किसी व्यक्ति से बात करें"
};

/// Something to say: the message's key, and what it says where nobody has written it.
struct Text {
    key: &'static str,
    english: &'static str,
    hindi: &'static str,
}

/// The words for whoever asks.
struct Words {
    written: Option<Messages>,
    is_hindi: bool,
}

#[derive(Deserialize)]
struct Order {
    state: String,
    #[serde(default)]
    eta: Option<String>,
}

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let words = Words::of(event.user.language_code.as_deref());
    let Some(id) = event.entities.text("order_id") else {
        return Ok(Reply::text(words.say(&WHICH, &[])).status(false));
    };
    let service = event.env_variables.text("orders_url").unwrap_or(DEFAULT_SERVICE);
    let request = Request::get(format!("{service}/orders")).query("id", id).timeout(PATIENCE);
    Ok(match ask(&request) {
        Ok(response) if response.status() == 404 => Reply::text(words.say(&NOT_FOUND, &[("order", id)])).status(false),
        Ok(response) => told(&words, id, &response.checked()?.json()?),
        Err(error) => {
            log::error!("{error}");
            hand_over(&words)
        }
    })
}

/// The answer of a service that is up; one that failed is asked again.
fn ask(request: &Request) -> Result<Response, http::Error> {
    let mut last = http::Error::Failed("it was never asked".to_owned());
    for attempt in 1..=TRIES {
        match request.clone().send() {
            Ok(response) if response.status() >= 500 => last = http::Error::Status(response.status(), String::new()),
            Ok(response) => return Ok(response),
            // Asking again would not change it.
            Err(error @ (http::Error::Invalid(_) | http::Error::Refused(_))) => return Err(error),
            Err(error) => last = error,
        }
        log::warn!("try {attempt} of {TRIES}: {last}");
    }
    Err(last)
}

fn told(words: &Words, id: &str, order: &Order) -> Reply {
    let text = match &order.eta {
        Some(day) => words.say(&STATE_AND_DAY, &[("order", id), ("state", &order.state), ("day", day)]),
        None => words.say(&STATE, &[("order", id), ("state", &order.state)]),
    };
    Reply::text(text).conversation_detail("last_order", id)
}

fn hand_over(words: &Words) -> Reply {
    let button = Button::new(words.say(&DOWN, &[])).item(Action::say(words.say(&PERSON, &[])));
    Reply::message(button).status(false)
}

impl Words {
    /// A node that is not granted messages has words all the same.
    fn of(language: Option<&str>) -> Self {
        let written = messages::open(language).inspect_err(|error| log::debug!("{error}")).ok();
        let is_hindi = language
            .and_then(|language| language.split(['-', '_']).next())
            .is_some_and(|language| language.eq_ignore_ascii_case("hi"));
        Self { written, is_hindi }
    }

    fn say(&self, text: &Text, values: &[(&str, &str)]) -> String {
        let written = self.written.as_ref().map(|written| written.text(text.key));
        let words = match written {
            Some(Ok(words)) => words,
            Some(Err(error)) => {
                log::debug!("{error}");
                text.of(self.is_hindi).to_owned()
            }
            None => text.of(self.is_hindi).to_owned(),
        };
        fill(&words, values)
    }
}

impl Text {
    const fn of(&self, is_hindi: bool) -> &'static str {
        if is_hindi { self.hindi } else { self.english }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use codenode::http::Response;
    use codenode::{json, testing};

    use super::handle;

    fn asking() -> testing::EventBuilder {
        testing::event("ORDER_TRACKER").entity("order_id", "71")
    }

    #[test]
    fn an_order_is_told_with_its_day() {
        let _http = testing::http(|request| {
            assert_eq!(request.url(), "https://orders.example.com/orders?id=71");
            Response::of_json(200, &json!({ "state": "on its way", "eta": "Friday" }))
        });
        assert_eq!(testing::run(handle, asking()).texts(), ["Order 71 is on its way and should arrive on Friday."]);
    }

    #[test]
    fn a_service_that_fails_once_is_asked_again() {
        let tries = Rc::new(Cell::new(0));
        let counted = Rc::clone(&tries);
        let _http = testing::http(move |_| {
            counted.set(counted.get() + 1);
            if counted.get() == 1 { Response::new(503) } else { Response::of_json(200, &json!({ "state": "packed" })) }
        });
        assert_eq!(testing::run(handle, asking()).texts(), ["Order 71 is packed."]);
        assert_eq!(tries.get(), 2);
    }

    #[test]
    fn a_service_that_is_down_hands_over_to_a_person() {
        let _http = testing::http(|_| Response::new(500));
        let run = testing::run(handle, asking());
        assert!(run.json().to_string().contains("Talk to a person"));
        let failures = run.logs().iter().filter(|line| line.message.contains("500")).count();
        assert_eq!(failures, 3, "{:?}", run.logs());
    }

    #[test]
    fn an_order_that_is_not_there_is_no_failure_of_the_service() {
        let _http = testing::http(|_| Response::new(404));
        assert_eq!(testing::run(handle, asking()).texts(), ["I cannot find the order 71."]);
    }
    #[test]
    fn what_people_have_written_is_said_in_the_language_of_whoever_asks() {
        let _http = testing::http(|_| Response::of_json(200, &json!({ "state": "on its way", "eta": "Friday" })));
        let _messages = testing::messages([
            ("order.state_and_day", "📦 {order}: {state}, {day}"),
            ("order.state_and_day/hi", "📦 {order} {day} तक"),
        ]);
        assert_eq!(testing::run(handle, asking().language("en")).texts(), ["📦 71: on its way, Friday"]);
        assert_eq!(testing::run(handle, asking().language("hi-IN")).texts(), ["📦 71 Friday तक"]);
    }

    #[test]
    fn where_nobody_has_written_anything_it_speaks_english_and_hindi() {
        let _http = testing::http(|_| Response::new(404));
        for granted in [false, true] {
            let _messages = granted.then(|| testing::messages([("order.state", "{order}")]));
            for (language, said) in [("de", "I cannot find the order 71."), ("hi-IN", "मुझे ऑर्डर 71 नहीं मिला।")]
            {
                assert_eq!(testing::run(handle, asking().language(language)).texts(), [said]);
            }
        }
        let _http = testing::http(|_| Response::new(500));
        let hindi = testing::run(handle, asking().language("hi")).json().to_string();
        assert!(hindi.contains("किसी व्यक्ति से बात करें"), "{hindi}");
        let nothing = testing::run(handle, testing::event("ORDER_TRACKER").language("hi"));
        assert_eq!(nothing.texts(), ["आप किस ऑर्डर के बारे में पूछ रहे हैं?"]);
    }
}
