//! Cost against size: the same question with a longer and longer conversation around it, and longer and longer answers to a short one.

use crate::contestant::{CODENODE, LONG_NODE, NATIVE, NODE};
use crate::figures::Figures;
use crate::load::{self, Pace, Traffic};
use crate::price::EVENT;
use crate::process::{self, Cores};

use super::Stage;

const EVENTS: [(&str, usize); 5] = [
    ("event of 1 KiB", 1 << 10),
    ("event of 4 KiB", 4 << 10),
    ("event of 16 KiB", 16 << 10),
    ("event of 64 KiB", 64 << 10),
    ("event of 250 KiB", 250 << 10),
];
/// Replies by their number of messages, 39 bytes each.
const REPLIES: [(&str, usize); 4] = [
    ("reply of 1 KiB", (1 << 10) / MESSAGE_BYTES),
    ("reply of 16 KiB", (16 << 10) / MESSAGE_BYTES),
    ("reply of 64 KiB", (64 << 10) / MESSAGE_BYTES),
    ("reply of 250 KiB", (250 << 10) / MESSAGE_BYTES),
];
const MESSAGE_BYTES: usize = 39;
const CONNECTIONS: usize = 8;

pub(super) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    for _ in 0..stage.rounds {
        for contestant in stage.only(&[NATIVE, CODENODE]) {
            let process = contestant.start(stage.files, Cores::First)?;
            let events = EVENTS.map(|(scenario, bytes)| (scenario, NODE, event(bytes)));
            let questions = REPLIES.map(|(scenario, messages)| (scenario, LONG_NODE, question(messages)));
            for (scenario, node, event) in events.into_iter().chain(questions) {
                let traffic = Traffic::signed(node, event.as_bytes(), CONNECTIONS, 200, "The price of the speaker is");
                let load = || load::run(process.address, &[traffic], Pace::Closed, stage.phases());
                for seen in process::on(Cores::Second, load)? {
                    figures.add(scenario, &contestant.name, "req/s", seen.rate());
                    figures.add(scenario, &contestant.name, "p50 us", seen.percentile(50.0));
                    println!("    {scenario:<20} {:<24} {:>9.0} req/s", contestant.name, seen.rate());
                }
            }
            process.stop()?;
        }
    }
    Ok(())
}

/// The bench's event, asking for this many messages.
fn question(messages: usize) -> String {
    EVENT.replacen("\"entity_value\":1", &format!("\"entity_value\":{messages}"), 1)
}

/// The bench's event with a history that makes it this large.
fn event(bytes: usize) -> String {
    const TURN: &str = r#"{"from":"user","text":"and what about the other one, the one in blue?"},"#;
    let turns = TURN.repeat(bytes.saturating_sub(EVENT.len()) / TURN.len());
    EVENT.replacen("\"greeted\":true", &format!("\"greeted\":true,\"history\":[{turns}null]"), 1)
}
