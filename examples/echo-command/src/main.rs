//! A node as a plain WASI program: the event on standard input, the reply on standard output, exit code 0. What it writes to standard
//! error goes to the run's log.

use std::error::Error;
use std::io::{self, Read, Write};

use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut event = String::new();
    io::stdin().read_to_string(&mut event)?;
    let reply = reply(&serde_json::from_str(&event)?);
    io::stdout().write_all(reply.to_string().as_bytes())?;
    Ok(())
}

/// Says what the user wrote, one message for each detected value.
fn reply(event: &Value) -> Value {
    let entities = event.get("entities").and_then(Value::as_object).into_iter().flatten();
    let detected = entities.flat_map(|(_, values)| values.as_array().into_iter().flatten());
    let mut said: Vec<String> =
        detected.filter_map(|value| Some(format!("You said: {}", value.get("original_text")?.as_str()?))).collect();
    if said.is_empty() {
        said.push("You said nothing.".into());
    }
    json!({ "status": true, "response": said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_detected_value_is_repeated() {
        let event = serde_json::from_str(include_str!("../event.json")).unwrap();
        assert_eq!(reply(&event), json!({"status": true, "response": ["You said: नमस्ते 😊", "You said: 71"]}));
    }

    #[test]
    fn an_event_without_entities_gets_a_message_too() {
        for event in [json!({}), json!({"entities": {}}), json!({"entities": {"a": []}})] {
            assert_eq!(reply(&event)["response"], json!(["You said nothing."]));
        }
    }
}
