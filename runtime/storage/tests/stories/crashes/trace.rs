//! strace: it writes down what a process asks of the system, and makes the system refuse some of it.

use std::collections::HashMap;
use std::process::{Output, Stdio};

use tokio::process::Command;
use tokio::time::timeout;

use super::writer::{PATIENCE, instruct, said};
use crate::place::Ground;

/// Lets a writer run under strace until it ends.
pub(super) async fn traced(ground: &Ground, turns: usize, options: &[&str]) -> Output {
    let mut command = Command::new("strace");
    command.args(["-f", "--quiet=all"]).args(options).arg(std::env::current_exe().unwrap());
    instruct(&mut command, ground, turns);
    command.stdin(Stdio::null());
    let output = timeout(PATIENCE, command.output()).await.expect("a writer that ends");
    output.unwrap_or_else(|error| panic!("this test needs strace ({error}): run `cargo xtask test`, which installs it"))
}

/// What a writer said before it ended.
pub(super) fn lines_of(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().filter_map(said).collect()
}

/// What a process did, as far as it matters here.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// This file or folder is on the disk.
    Synced(String),
    /// This was said.
    Said(String),
}

/// Reads what `strace -f -y` wrote: a line for each call, or two where another thread's came in between.
pub(super) fn events(trace: &str) -> Vec<Event> {
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut events = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        let path = call.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path);
        if call.starts_with("write(1<") {
            let text = call.split_once('"').and_then(|(_, rest)| rest.split_once('"')).map_or("", |(text, _)| text);
            events.extend(said(text.trim_end_matches("\\n")).map(Event::Said));
        } else if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            begun.insert(thread, path.unwrap());
        }
        if call.contains("sync") && call.ends_with("= 0") {
            events.extend(begun.remove(thread).map(|path| Event::Synced(path.to_owned())));
        }
    }
    events
}

#[test]
fn a_trace_is_read_in_the_order_in_which_calls_end() {
    let trace = r#"12 write(1<pipe:[5]>, "kept: artifact ab\n", 18) = 18
13 fdatasync(9</x/codenode.db-wal> <unfinished ...>
12 fsync(7</x/artifacts/ab/cd#1>) = 0
14 fsync(8</x/failed>) = -1 EIO (Input/output error) (INJECTED)
13 <... fdatasync resumed>)         = 0
12 write(2<pipe:[6]>, "kept: nothing\n", 14) = 14
12 +++ exited with 0 +++"#;
    let synced = |path: &str| Event::Synced(path.to_owned());
    let expected =
        [Event::Said("kept: artifact ab".to_owned()), synced("/x/artifacts/ab/cd#1"), synced("/x/codenode.db-wal")];
    assert_eq!(events(trace), expected);
}
