//! Misbehaves in the way that the entity `misbehave` names, so that you can see what the runtime says to each. Any other word, or none,
//! gets a good answer.

use std::hint::black_box;

use codenode::{Error, Event, Reply, handler, log};

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let name = event.entities.text("misbehave").unwrap_or("nothing");
    log::info!("misbehaves: {name}");
    match name {
        "loop" => spin(),
        "eat_memory" => eat_memory(),
        "recurse" => Ok(Reply::text(format!("Came back with {}.", descend(event.entities.len() as u64)))),
        "panic" => panic(),
        "error" => Err(Error::new("the shop's list of prices is out of date")),
        "empty" => Ok(Reply::empty()),
        "bad_json" => Ok(Reply::raw("{\"status\": true, \"response\": [\"half a rep")),
        "wrong_shape" => Ok(Reply::raw("{\"status\": \"fine\", \"response\": \"not a list\"}")),
        "huge_reply" => Ok(Reply::text("All work and no play. ".repeat(HUGE_REPLY_BYTES / 22))),
        "log_flood" => Ok(flood()),
        "out_of_bounds" => Ok(Reply::text(format!("Found {}.", read_out_of_bounds()))),
        "divide_by_zero" => {
            Ok(Reply::text(format!("Each gets {}.", share(100, event.entities.integer("guests").unwrap_or(0)))))
        }
        _ => Ok(Reply::text("I behave.")),
    }
}

/// More than any configuration lets a reply have.
const HUGE_REPLY_BYTES: usize = 5 << 20;

/// About 500 KB of log text.
const FLOOD_LINES: u32 = 5_000;

fn spin() -> ! {
    loop {
        black_box(());
    }
}

fn eat_memory() -> ! {
    let mut eaten = Vec::new();
    loop {
        eaten.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Rotating what comes back keeps the compiler from making a loop of it, and all values fit the locals of WebAssembly, so that the engine's
/// stack runs out rather than the one that the compiler keeps in memory.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX { 1 } else { descend(depth + 1).rotate_left(5) ^ depth }
}

#[expect(clippy::panic, reason = "it is what this node is for")]
fn panic() -> ! {
    panic!("the cat walked over the keyboard")
}

fn flood() -> Reply {
    for line in 0..FLOOD_LINES {
        log::info!(
            "line {line} of {FLOOD_LINES}: the quick brown fox jumps over the lazy dog, and nobody will ever read it"
        );
    }
    Reply::text("I have said all that I had to say.")
}

#[expect(unsafe_code, reason = "safe Rust checks every access; a handler in another language may not")]
fn read_out_of_bounds() -> u64 {
    let end_of_address_space = std::ptr::with_exposed_provenance::<u64>(usize::MAX - 15);
    // SAFETY: there is none; the sandbox must stop it.
    unsafe { end_of_address_space.read_volatile() }
}

/// Rust turns a division by zero into a panic, so its text is in the log.
#[inline(never)]
fn share(cake: i64, guests: i64) -> i64 {
    cake / guests
}

#[cfg(test)]
mod tests {
    use codenode::testing;

    use super::*;

    fn asked_to(misbehave: &str) -> testing::Run {
        testing::run(handle, testing::event("NAUGHTY").entity("misbehave", misbehave))
    }

    #[test]
    fn it_can_behave() {
        assert_eq!(asked_to("sing").texts(), ["I behave."]);
        assert_eq!(testing::run(handle, testing::event("NAUGHTY")).texts(), ["I behave."]);
    }

    #[test]
    fn bad_replies_are_bad_in_the_way_they_say() {
        assert_eq!(asked_to("error").error(), "the shop's list of prices is out of date");
        assert_eq!(asked_to("empty").error(), "the reply has no message: `response` is an empty list");
        assert!(asked_to("bad_json").error().starts_with("the reply is not valid JSON: EOF"));
        assert_eq!(
            asked_to("wrong_shape").error(),
            "the reply has the wrong shape: `response` must be a list of messages"
        );
        assert!(asked_to("huge_reply").reply().to_json().len() > 5_000_000);
    }

    #[test]
    fn the_flood_is_long_and_ends() {
        let run = asked_to("log_flood");
        assert!(run.logs().len() > 5_000);
        assert_eq!(run.texts(), ["I have said all that I had to say."]);
    }

    #[test]
    #[should_panic(expected = "the cat walked over the keyboard")]
    fn the_events_file_asks_for_a_panic() {
        testing::run(handle, testing::event_file("event.json"));
    }

    #[test]
    #[should_panic(expected = "attempt to divide by zero")]
    fn a_division_by_zero_is_a_panic() {
        asked_to("divide_by_zero");
    }
}
