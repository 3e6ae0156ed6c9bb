//! Asks a shop for the price of a product, and its own store for the currency.

use codenode::http::Request;
use codenode::{Error, Event, Reply, handler, kv};
use serde::Deserialize;

#[derive(Deserialize)]
struct Offer {
    price: u32,
}

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let product = event.entities.text("product_name").ok_or("no product was asked for")?;
    let shop = event.env_variables.text("SHOP_URL").ok_or("nobody said where the shop is")?;
    let offer: Offer = Request::get(format!("{shop}/price")).query("product", product).send()?.checked()?.json()?;
    let currency = kv::node()?.get("currency")?.ok_or("the currency is not set")?;
    Ok(Reply::text(format!("The price of the {product} is {}{}.", String::from_utf8_lossy(&currency), offer.price)))
}
