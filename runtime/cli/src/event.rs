//! The event argument that several subcommands share.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use model::Limits;

/// Where an event comes from.
#[derive(clap::Args)]
pub(crate) struct EventSource {
    /// The event's JSON: a file, or `-` for standard input
    #[arg(long, short, value_name = "FILE")]
    event: PathBuf,
}

impl EventSource {
    /// Reads the event's bytes as they are: a signature covers every one of them.
    ///
    /// # Errors
    /// If they cannot be read, or are more than any node accepts.
    pub(crate) fn read(&self) -> anyhow::Result<Vec<u8>> {
        read(&self.event)
    }
}

/// Reads the event's bytes from a file, or from standard input if that is `-`.
///
/// # Errors
/// If they cannot be read, or are more than any node accepts.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let cap = Limits::CAPS.event_bytes;
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(cap + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(cap + 1).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read the event from {}", path.display()))?;
    if bytes.len() as u64 > cap {
        bail!("the event is larger than {}, which no node accepts", bytesize::ByteSize(cap));
    }
    Ok(bytes)
}
