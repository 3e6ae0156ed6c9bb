//! Does what the entity `way` says; see `tests/it/black_box/conformance`.

use std::error::Error;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

static RUNS: AtomicU32 = AtomicU32::new(0);

fn main() -> Result<(), Box<dyn Error>> {
    let mut event = String::new();
    io::stdin().read_to_string(&mut event)?;
    let event = serde_json::from_str(&event)?;
    io::stdout().write_all(reply(&event)?.as_bytes())?;
    Ok(())
}

fn reply(event: &Value) -> Result<String, Box<dyn Error>> {
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let name = text("/entities/name/0/entity_value");
    Ok(match text("/entities/way/0/entity_value") {
        "greet" if name.is_empty() => says("नमस्ते"),
        "greet" => says(&format!("नमस्ते {name} 😊")),
        "element" => {
            let items = json!([{ "actionable_text": "Yes", "type": "TEXT_ONLY", "payload": { "message": "Yes" } }]);
            json!({ "response": [{ "text": "Sure?", "type": "BUTTON", "data": { "items": items } }] }).to_string()
        }
        "details" => {
            let (conversation, user) = (json!({ "step": "2" }), json!({ "city": name }));
            json!({ "response": ["kept"], "conversation_details": conversation, "user_details": user }).to_string()
        }
        "decline" => json!({ "status": false, "response": ["Sorry."] }).to_string(),
        "amount" => {
            let amount = "/entities/amount/0/entity_value";
            says(&format!("{} {}", text(&format!("{amount}/value")), text(&format!("{amount}/unit"))))
        }
        "branch" => json!({ "response": ["gold"], "tier": { "name": "gold", "points": [1, 2.5] } }).to_string(),
        "clock" => says(&SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs().to_string()),
        "random" => says(&format!("{:016x}", RandomState::new().build_hasher().finish())),
        "wait" => rest(Duration::from_millis(50)),
        "count" => says(&(RUNS.fetch_add(1, Ordering::Relaxed) + 1).to_string()),
        "trap" => process::abort(),
        "exit" => process::exit(3),
        "not_json" => r#"{"response": ["half a rep"#.to_owned(),
        "wrong_shape" => r#"{"response": [7]}"#.to_owned(),
        "empty" => r#"{"response": []}"#.to_owned(),
        "long" => says(&"x".repeat(300 << 10)),
        "sleep" => rest(Duration::from_secs(60)),
        "loop" => loop {
            black_box(());
        },
        "eat" => eat(),
        "recurse" => says(&descend(0).to_string()),
        "calls" => {
            (0..20_000).for_each(|call| eprintln!("{call}"));
            says("called")
        }
        "log" => {
            eprintln!("{name} was here");
            says("logged")
        }
        "remember" => says(text("/user_details/city")),
        other => return Err(format!("no way {other}").into()),
    })
}

fn says(text: &str) -> String {
    json!({ "status": true, "response": [text] }).to_string()
}

fn rest(time: Duration) -> String {
    thread::sleep(time);
    says("rested")
}

fn eat() -> ! {
    let mut eaten = Vec::new();
    loop {
        eaten.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Rotating what comes back keeps the compiler from making a loop of it.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX { 1 } else { descend(depth + 1).rotate_left(5) ^ depth }
}
