//! A shop window: a carousel with a card for each product, and buttons for the one that is asked for.

use codenode::element::{Action, Button, Card, Carousel};
use codenode::{Error, Event, Reply, handler};

const PRODUCTS: [(&str, u32); 2] = [("speaker", 1500), ("powerbank", 1000)];

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let Some(asked) = event.entities.text("product") else {
        return Ok(Reply::message(carousel()));
    };
    Ok(match PRODUCTS.iter().find(|(product, _)| *product == asked) {
        Some((product, price)) => Reply::text(format!("The {product} costs ₹{price}."))
            .and(buttons(product))
            .conversation_detail("product", *product),
        None => Reply::text("We don't have that.").and(carousel()).status(false),
    })
}

fn carousel() -> Carousel {
    PRODUCTS.iter().fold(Carousel::new("This is what we have"), |carousel, (product, price)| {
        let card = Card::new(*product)
            .sub_title(format!("₹{price}"))
            .image(format!("https://example.com/{product}.png"))
            .action(Action::say(format!("What does the {product} cost?")));
        carousel.card(card)
    })
}

fn buttons(product: &str) -> Button {
    Button::new("What would you like to do?")
        .item(Action::link("See it", format!("https://example.com/{product}")))
        .item(Action::say("What else do you have?"))
}

#[cfg(test)]
mod tests {
    use codenode::testing;

    use super::handle;

    #[test]
    fn every_product_has_a_card() {
        let run = testing::run(handle, testing::event("NODE"));
        let carousel = run.reply().messages()[0].as_element().unwrap();
        assert_eq!(carousel["data"]["items"].as_array().map(Vec::len), Some(2));
    }
}
