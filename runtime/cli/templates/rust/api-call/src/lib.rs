//! Where an order is: asks a service, and says so when that is down.

use std::time::Duration;

use codenode::http::{self, Request};
use codenode::{Error, Event, Reply, Value, config, handler, log};

const PATIENCE: Duration = Duration::from_secs(5);

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let Some(order) = event.entities.text("order") else {
        return Ok(Reply::text("Which order do you mean?").status(false));
    };
    let service = config::text("orders_url")?;
    Ok(match state_of(&service, order) {
        Ok(Some(state)) => Reply::text(format!("Order {order} is {state}.")),
        Ok(None) => Reply::text(format!("There is no order {order}.")).status(false),
        Err(error) => {
            log::warn!("order {order}: {error}");
            Reply::text("I cannot look that up right now. Please try again later.").status(false)
        }
    })
}

fn state_of(service: &str, order: &str) -> Result<Option<String>, http::Error> {
    let answer = Request::get(format!("{service}/orders")).query("id", order).timeout(PATIENCE).send()?;
    if answer.status() == 404 {
        return Ok(None);
    }
    let found: Value = answer.checked()?.json()?;
    Ok(found["state"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use codenode::http::Response;
    use codenode::{json, testing};

    use super::handle;

    #[test]
    fn an_order_is_told_as_the_service_tells_it() {
        let _config = testing::config([("orders_url", "https://orders.example.com")]);
        let _http = testing::http(|request| {
            assert_eq!(request.url(), "https://orders.example.com/orders?id=71");
            Response::of_json(200, &json!({ "state": "packed" }))
        });
        let run = testing::run(handle, testing::event("NODE").entity("order", "71"));
        assert_eq!(run.texts(), ["Order 71 is packed."]);
    }
}
