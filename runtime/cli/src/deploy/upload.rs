//! The way of an artifact's bytes to a server, with a bar to look at meanwhile.

use std::io::{self, Read, Write};
use std::time::Duration;

use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};
use model::NodeId;
use serde::Deserialize;

use crate::output::one_line;
use crate::remote::{Answer, Client, short};

/// How often the bar moves while the server compiles.
const TICK: Duration = Duration::from_millis(100);

/// What a server says of an artifact that it has taken.
#[derive(Deserialize)]
pub(super) struct Uploaded {
    pub(super) artifact: String,
    bytes: u64,
    is_new: bool,
    /// The families of grants that the code can use.
    #[serde(default)]
    pub(super) needs: Vec<String>,
}

/// Shows a bar on a terminal: first what has gone, then that the server compiles.
///
/// # Errors
/// If the server does not take it.
pub(super) fn upload(client: &Client, node: &NodeId, artifact: &[u8]) -> anyhow::Result<Answer> {
    let length = artifact.len() as u64;
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {bar:30} {bytes} of {total_bytes}") {
        bar.set_style(style);
    }
    bar.set_message("uploading");
    bar.enable_steady_tick(TICK);
    let path = client.of_tenant(&format!("/artifacts?node={node}"))?;
    let answer = client.upload(&path, Watched { rest: artifact, bar: &bar }, length);
    bar.finish_and_clear();
    answer
}

/// Bytes that move a bar as they go.
struct Watched<'a> {
    rest: &'a [u8],
    bar: &'a ProgressBar,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.rest.read(buffer)?;
        self.bar.inc(read as u64);
        if self.rest.is_empty() {
            self.bar.set_message("the server compiles");
        }
        Ok(read)
    }
}

/// Says which artifact it is.
///
/// # Errors
/// If whoever reads has gone.
pub(super) fn told_upload(out: &mut dyn Write, uploaded: &Uploaded) -> io::Result<()> {
    let Uploaded { artifact, bytes, is_new, needs: _ } = uploaded;
    let known = if *is_new { "" } else { ", which the server had already" };
    writeln!(out, "artifact  {} of {}{known}", one_line(&short(artifact)), ByteSize(*bytes))
}
