//! The classic: the price of a product. A speaker, a powerbank, or anything else.

use codenode::{Error, Event, Reply, handler};

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    Ok(match event.entities.text("product_name") {
        Some("speaker") => Reply::text("The price of the speaker is ₹1500."),
        Some("powerbank") => Reply::text("The price of the powerbank is ₹1000."),
        _ => Reply::text("Sorry, we don't sell that.").status(false),
    })
}

#[cfg(test)]
mod tests {
    use codenode::testing;

    use super::handle;

    fn asked_for(product: &str) -> testing::Run {
        testing::run(handle, testing::event("PRODUCT_PRICE").entity("product_name", product))
    }

    #[test]
    fn known_products_have_a_price() {
        assert_eq!(asked_for("speaker").texts(), ["The price of the speaker is ₹1500."]);
        assert_eq!(asked_for("powerbank").texts(), ["The price of the powerbank is ₹1000."]);
    }

    #[test]
    fn anything_else_is_not_sold() {
        let run = asked_for("elephant");
        assert_eq!(run.texts(), ["Sorry, we don't sell that."]);
        assert!(!run.reply().succeeded());
    }

    #[test]
    fn the_events_file_is_answered() {
        let run = testing::run(handle, testing::event_file("event.json"));
        assert_eq!(run.texts(), ["The price of the speaker is ₹1500."]);
    }
}
