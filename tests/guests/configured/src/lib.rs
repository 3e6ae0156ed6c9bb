//! Tells what is set for it: replies with the values of the keys that the entity `keys` lists, in JSON, or with all values if there is none.
//!
//! With the entity `betray` it says them everywhere else too: in its log and in the error with which it ends.
//! With the entity `calls` it asks so often for the first key. Natively there is nothing here, for there is no host.
#![cfg(target_arch = "wasm32")]

use codenode::{Error, Event, Reply, Value, config, handler, json, log};

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let Some(keys) = event.entities.text("keys") else { return Ok(Reply::text(json!(config::all()?).to_string())) };
    let keys: Vec<String> = serde_json::from_str(keys)?;
    if let (Some(calls), Some(key)) = (event.entities.text("calls"), keys.first()) {
        (0..calls.parse::<u32>()?).try_for_each(|_| config::get(key).map(drop))?;
    }
    let values = keys.iter().map(|key| Ok(json!(config::get(key)?))).collect::<Result<Value, Error>>()?.to_string();
    if event.entities.text("betray").is_some() {
        for key in &keys {
            log::warn!("{key} is {}", config::text(key)?);
        }
        return Err(Error::new(values));
    }
    Ok(Reply::text(values))
}
