//! Rows whose columns stand below each other, cut where the terminal ends.

use std::io::{self, IsTerminal as _, Write};

use anstyle::Style;
use console::{measure_text_width, truncate_str};
use jiff::Timestamp;

use crate::output::one_line;

const DIM: Style = Style::new().dimmed();
/// What is shown of an artifact's name.
const SHORT: usize = 12;

/// A table under construction.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(ToString::to_string).collect()] }
    }

    /// Adds a row, whose texts may be anybody's.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell)).collect());
    }

    /// # Errors
    /// If the terminal or pipe is gone.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let terminal = io::stdout().is_terminal().then(|| console::Term::stdout().size_checked()).flatten();
        self.write_within(out, terminal.map(|(_, columns)| usize::from(columns)))
    }

    fn write_within(&self, out: &mut dyn Write, room: Option<usize>) -> io::Result<()> {
        let widths = self.widths();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - measure_text_width(cell) + 2));
            }
            let line = line.trim_end();
            let line = room.map_or(line.into(), |room| truncate_str(line, room, "…"));
            if number == 0 { writeln!(out, "{DIM}{line}{DIM:#}")? } else { writeln!(out, "{line}")? }
        }
        Ok(())
    }

    /// The width of each column: that of its widest cell.
    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column| {
            self.rows.iter().filter_map(move |row| row.get(column).map(|cell: &String| measure_text_width(cell)))
        };
        (0..columns).map(|column| width(column).max().unwrap_or_default()).collect()
    }
}

/// A moment to the second: `2026-01-31T12:00:00Z`.
pub(crate) fn moment(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// As much of an artifact's name as tells it from others.
pub(crate) fn short(artifact: &str) -> String {
    artifact.chars().take(SHORT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(room: Option<usize>) -> String {
        let mut table = Table::new(&["NODE", "LIVE", "NOTE"]);
        table.row(["ORDERS".to_owned(), "12".to_owned(), "first\nline\u{1b}[2J".to_owned()]);
        table.row(["価格".to_owned(), String::new(), "x".to_owned()]);
        let mut out = anstream::StripStream::new(Vec::new());
        table.write_within(&mut out, room).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn columns_stand_below_each_other_and_cells_stay_on_their_line() {
        insta::assert_snapshot!(shown(None), @r"
        NODE    LIVE  NOTE
        ORDERS  12    first\nline\u{1b}[2J
        価格          x
        ");
    }

    #[test]
    fn a_line_ends_where_the_terminal_does() {
        assert!(shown(Some(20)).contains("ORDERS  12    first…\n"), "{}", shown(Some(20)));
    }
}
