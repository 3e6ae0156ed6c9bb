//! What a person is asked at a terminal, and what a script says instead.

use std::io::{IsTerminal as _, Read as _, Write as _, stderr, stdin};

use anyhow::{Context as _, bail};

/// More than any key or secret has.
const MOST_BYTES: u64 = 64 << 10;

/// Something that nobody else should see: typed unseen at a terminal, or all of standard input.
///
/// # Errors
/// If nothing comes.
pub(crate) fn secret(what: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    if stdin().is_terminal() {
        write!(stderr(), "{what}: ")?;
        text = console::Term::stderr().read_secure_line().with_context(|| format!("cannot read {what}"))?;
    } else {
        let read = stdin().lock().take(MOST_BYTES).read_to_string(&mut text);
        read.with_context(|| format!("cannot read {what} from standard input"))?;
    }
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("nothing came: type {what} at the terminal, or pipe it into standard input");
    }
    Ok(text.to_owned())
}

/// Goes on only if somebody has said yes, at the terminal or by `--yes`.
///
/// # Errors
/// If nobody has.
pub(crate) fn confirm(what: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !stdin().is_terminal() {
        bail!("this would {what}: say --yes if you mean it");
    }
    write!(stderr(), "Really {what}? [y/N] ")?;
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    if !matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        bail!("nothing has changed");
    }
    Ok(())
}
