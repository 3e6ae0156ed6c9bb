//! Does what the entity `way` says; see `tests/it/black_box/conformance`. Natively there is nothing here, for there is no host.
#![cfg(target_arch = "wasm32")]

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use codenode::element::{Action, Button};
use codenode::{Error, Event, Reply, config, handler, http, json, kv, log, messages};

static RUNS: AtomicU32 = AtomicU32::new(0);

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let name = event.entities.text("name");
    match event.entities.text("way").ok_or("no way")? {
        "greet" => Ok(Reply::text(name.map_or("नमस्ते".to_owned(), |name| format!("नमस्ते {name} 😊")))),
        "element" => Ok(Reply::message(Button::new("Sure?").item(Action::say("Yes")))),
        "details" => Ok(Reply::text("kept").conversation_detail("step", "2").user_detail("city", name)),
        "decline" => Ok(Reply::text("Sorry.").status(false)),
        "amount" => {
            let amount = event.entities.first("amount").ok_or("no amount")?;
            Ok(Reply::text(format!("{} {}", amount.text().unwrap_or_default(), amount.unit().unwrap_or_default())))
        }
        "branch" => Ok(Reply::text("gold").with("tier", json!({ "name": "gold", "points": [1, 2.5] }))),
        "clock" => Ok(Reply::text(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs().to_string())),
        "random" => Ok(Reply::text(format!("{:016x}", RandomState::new().build_hasher().finish()))),
        "wait" => Ok(rest(Duration::from_millis(50))),
        "count" => Ok(Reply::text((RUNS.fetch_add(1, Ordering::Relaxed) + 1).to_string())),
        "error" => Err(Error::new("the list of prices is out of date")),
        "trap" => panic(),
        "not_json" => Ok(Reply::raw(r#"{"response": ["half a rep"#)),
        "wrong_shape" => Ok(Reply::raw(r#"{"response": [7]}"#)),
        "empty" => Ok(Reply::empty()),
        "long" => Ok(Reply::text("x".repeat(300 << 10))),
        "sleep" => Ok(rest(Duration::from_secs(60))),
        "loop" => loop {
            black_box(());
        },
        "eat" => eat(),
        "recurse" => Ok(Reply::text(descend(0).to_string())),
        "calls" => {
            (0..20_000).for_each(|call| log::info!("{call}"));
            Ok(Reply::text("called"))
        }
        "log" => {
            log::warn!("{} was here", name.unwrap_or_default());
            Ok(Reply::text("logged"))
        }
        "config" => Ok(Reply::text(config::text("shop")?)),
        "kv" => Ok(Reply::text(kv::node()?.increment("visits", 1)?.to_string())),
        "message" => Ok(Reply::text(messages::text("hello", event.user.language_code.as_deref())?)),
        "fetch" => {
            let service = event.env_variables.text("service").ok_or("no service")?;
            Ok(Reply::text(http::get(service)?.checked()?.text()?))
        }
        "remember" => Ok(Reply::text(event.user_details.text("city").unwrap_or_default())),
        other => Err(Error::new(format_args!("no way {other}"))),
    }
}

fn rest(time: Duration) -> Reply {
    thread::sleep(time);
    Reply::text("rested")
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

#[expect(clippy::panic, reason = "a test wants to see what becomes of it")]
fn panic() -> ! {
    panic!("the cat walked over the keyboard")
}
