//! Where an order is, by the shop's own service: asked twice if need be, and handed over to a person when it is down.

use std::time::Duration;

use codenode::element::{Action, Button};
use codenode::http::{self, Request, Response};
use codenode::{Error, Event, Reply, handler, log};
use serde::Deserialize;

/// Where the platform says that the service is; its node is granted the same origin.
const DEFAULT_SERVICE: &str = "https://orders.example.com";

/// For one try; two fit into the ten seconds of a run.
const PATIENCE: Duration = Duration::from_secs(3);
const TRIES: u32 = 2;

#[derive(Deserialize)]
struct Order {
    state: String,
    #[serde(default)]
    eta: Option<String>,
}

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let Some(id) = event.entities.text("order_id") else {
        return Ok(Reply::text("Which order do you mean?").status(false));
    };
    let service = event.env_variables.text("orders_url").unwrap_or(DEFAULT_SERVICE);
    let request = Request::get(format!("{service}/orders")).query("id", id).timeout(PATIENCE);
    Ok(match ask(&request) {
        Ok(response) if response.status() == 404 => Reply::text(format!("I cannot find the order {id}.")).status(false),
        Ok(response) => told(id, &response.checked()?.json()?),
        Err(error) => {
            log::error!("{error}");
            hand_over()
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

fn told(id: &str, order: &Order) -> Reply {
    let when = order.eta.as_ref().map_or_else(String::new, |eta| format!(" and should arrive on {eta}"));
    Reply::text(format!("Order {id} is {}{when}.", order.state)).conversation_detail("last_order", id)
}

fn hand_over() -> Reply {
    let button = Button::new("I cannot look that up right now.").item(Action::say("Talk to a person"));
    Reply::message(button).status(false)
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
        assert_eq!(run.logs().len(), 3);
    }

    #[test]
    fn an_order_that_is_not_there_is_no_failure_of_the_service() {
        let _http = testing::http(|_| Response::new(404));
        assert_eq!(testing::run(handle, asking()).texts(), ["I cannot find the order 71."]);
    }
}
