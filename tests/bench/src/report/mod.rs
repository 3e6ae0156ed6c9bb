//! What a reader gets: tables, a chart, JSON, and the bar that we set ourselves.

mod bar;
mod chart;
mod table;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::figures::Figures;
use crate::machine::Machine;

/// A whole bench.
#[derive(Serialize)]
pub struct Report {
    /// When it was made, in UTC.
    pub at: jiff::Timestamp,
    /// Where.
    pub machine: Machine,
    /// Names and what a reader should know of each, in the order of the tables.
    pub contestants: Vec<(String, String)>,
    /// What was measured.
    pub figures: Figures,
}

impl Report {
    /// The tables and the bar, as Markdown that also reads well on a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for scenario in self.figures.scenarios() {
            let _ = writeln!(text, "\n### {scenario}\n\n{}", table::of(scenario, self));
        }
        let _ = write!(text, "\n### The bar\n\n{}", bar::table(&self.figures));
        text
    }

    /// Writes `results.json`, `results.md` and `throughput.svg` into `folder`.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let write = |name: &str, text: &str| {
            fs::write(folder.join(name), text).with_context(|| format!("cannot write {name} to {}", folder.display()))
        };
        write("results.json", &serde_json::to_string_pretty(self)?)?;
        write("results.md", &self.text())?;
        if let Some(chart) = chart::throughput(self)? {
            write("throughput.svg", &chart)?;
        }
        Ok(())
    }
}
