//! The bench's job as a plain WASI program, as an author writes it who knows no SDK.

use std::error::Error;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    entities: Entities<'a>,
}

#[derive(Deserialize)]
struct Entities<'a> {
    #[serde(borrow, default)]
    product_name: Vec<Entity<'a>>,
}

#[derive(Deserialize)]
struct Entity<'a> {
    entity_value: &'a str,
}

#[derive(Serialize)]
struct Reply {
    status: bool,
    response: [&'static str; 1],
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut text = Vec::with_capacity(4096);
    io::stdin().read_to_end(&mut text)?;
    let event: Event<'_> = serde_json::from_slice(&text)?;
    let (status, text) = match event.entities.product_name.first().map(|entity| entity.entity_value) {
        Some("speaker") => (true, "The price of the speaker is ₹1500."),
        Some("powerbank") => (true, "The price of the powerbank is ₹1000."),
        _ => (false, "Sorry, we don't sell that."),
    };
    io::stdout().write_all(&serde_json::to_vec(&Reply { status, response: [text] })?)?;
    Ok(())
}
