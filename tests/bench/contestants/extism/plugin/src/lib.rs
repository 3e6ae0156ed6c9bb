//! The price of a product as an Extism plugin: an event in, a reply out. Its host has checked the signature.

use extism_pdk::{FnResult, Json, plugin_fn};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    entities: Entities,
}

#[derive(Default, Deserialize)]
struct Entities {
    #[serde(default)]
    product_name: Vec<Entity>,
}

#[derive(Deserialize)]
struct Entity {
    entity_value: String,
}

#[derive(Serialize)]
struct Reply {
    status: bool,
    response: [&'static str; 1],
}

/// Answers an event.
#[plugin_fn]
pub fn handle(Json(event): Json<Event>) -> FnResult<Json<Reply>> {
    let product = event.entities.product_name.first().map(|entity| entity.entity_value.as_str());
    Ok(Json(match product {
        Some("speaker") => Reply { status: true, response: ["The price of the speaker is ₹1500."] },
        Some("powerbank") => Reply { status: true, response: ["The price of the powerbank is ₹1000."] },
        _ => Reply { status: false, response: ["Sorry, we don't sell that."] },
    }))
}
