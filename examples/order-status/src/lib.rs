//! Where an order is, as message elements: plain text, buttons, and a carousel of what else there is.

use codenode::element::{Action, Button, Card, Carousel};
use codenode::{Error, Event, Reply, handler, log};

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let Some(order) = event.entities.integer("product_id") else {
        return Ok(Reply::message(ask_again()).status(false));
    };
    log::info!("status of order {order}");
    let state = if order % 2 == 0 { "has been delivered" } else { "is on its way" };
    let reply = Reply::text(format!("Order {order} {state}.")).and(actions(order)).and(suggestions());
    Ok(reply.conversation_detail("last_order", order.to_string()))
}

fn ask_again() -> Button {
    Button::new("Which order do you mean?").item(Action::say("My last order")).item(Action::say("Talk to a person"))
}

fn actions(order: i64) -> Button {
    Button::new("What would you like to do?")
        .item(Action::link("Track it", format!("https://example.com/orders/{order}")))
        .item(Action::say("Cancel it").sends(format!("cancel order {order}")))
}

fn suggestions() -> Carousel {
    let card = |name: &str, price: &str, picture: &str| {
        Card::new(name)
            .sub_title(price)
            .image(format!("https://example.com/{picture}"))
            .action(Action::say(format!("Buy a {name}")))
    };
    Carousel::new("You may also like").card(card("speaker", "₹1500", "speaker.png")).card(card(
        "powerbank",
        "₹1000",
        "powerbank.png",
    ))
}

#[cfg(test)]
mod tests {
    use codenode::testing;

    use super::handle;

    #[test]
    fn an_order_is_answered_with_text_buttons_and_cards() {
        let run = testing::run(handle, testing::event_file("event.json"));
        assert_eq!(run.texts(), ["Order 71 is on its way."]);
        let elements: Vec<_> = run.reply().messages().iter().filter_map(|message| message.as_element()).collect();
        assert_eq!(elements[0]["data"]["items"][0]["payload"]["url"], "https://example.com/orders/71");
        assert_eq!(elements[0]["data"]["items"][1]["payload"]["gogo_message"], "cancel order 71");
        assert_eq!(elements[1]["type"], "CAROUSEL");
        assert_eq!(elements[1]["data"]["items"][1]["title"], "powerbank");
        assert_eq!(run.json()["conversation_details"]["last_order"], "71");
        assert_eq!(run.logs()[0].message, "status of order 71");
    }

    #[test]
    fn both_shapes_of_the_number_are_understood() {
        let wrapped = codenode::json!({"value": "72", "unit": "quantity"});
        let run = testing::run(handle, testing::event("ORDER_STATUS").entity("product_id", wrapped));
        assert_eq!(run.texts(), ["Order 72 has been delivered."]);
    }

    #[test]
    fn without_a_number_the_bot_asks_again() {
        let run = testing::run(handle, testing::event("ORDER_STATUS").entity("product_id", "my last one"));
        assert_eq!(run.reply().messages()[0].as_element().unwrap()["text"], "Which order do you mean?");
        assert!(!run.reply().succeeded());
    }
}
