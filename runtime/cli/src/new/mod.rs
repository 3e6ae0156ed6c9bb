mod sdk;
mod types;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use model::NodeId;
use rust_embed::Embed;

use crate::embedded::write_new;

/// All templates: `LANGUAGE/TEMPLATE/…` and, for what several have in common, `any` in the place of either.
#[derive(Embed)]
#[folder = "templates"]
#[exclude = "*/__pycache__/*"]
#[exclude = "*/node_modules/*"]
#[exclude = "*/target/*"]
struct Templates;

/// What stands in the place of a language's or a template's name for all of them.
const ANY: &str = "any";

#[derive(clap::Args)]
pub(crate) struct New {
    /// The project's folder, which must not be there yet; its last part is the name of the node
    #[arg(value_name = "NAME")]
    folder: PathBuf,
    /// What the handler is written in
    #[arg(long)]
    lang: Language,
    /// What it does to begin with
    #[arg(long, default_value = "minimal")]
    template: Template,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    Rust,
    Python,
    #[value(name = "javascript", alias = "js")]
    JavaScript,
    #[value(name = "typescript", alias = "ts")]
    TypeScript,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Template {
    /// Greets the user
    Minimal,
    /// Asks another service
    ApiCall,
    /// Sends a one-time code and verifies it
    Otp,
    /// Shows cards and buttons
    Cards,
}

impl New {
    /// Writes the project's files, and says what comes next. It never overwrites anything.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let name = self.name()?;
        let folder = &self.folder;
        if folder.symlink_metadata().is_ok() {
            bail!("{} is there already, and nothing is overwritten: take another name, or remove it", folder.display());
        }
        let (language, template) = (self.lang.name(), self.template.name());
        for (of, what) in [(ANY, ANY), (ANY, template), (language, ANY), (language, template)] {
            let prefix = format!("{of}/{what}/");
            for path in Templates::iter() {
                let Some(below) = path.strip_prefix(&prefix) else { continue };
                let file =
                    Templates::get(&path).with_context(|| format!("the template {path} is not in this program"))?;
                let text = std::str::from_utf8(&file.data)?;
                let text = text.replace("{{name}}", name.as_str()).replace("{{handler}}", self.lang.handler());
                write_new(&folder.join(below), text.as_bytes())?;
            }
        }
        match self.lang {
            Language::Rust => sdk::write_to(&folder.join(sdk::FOLDER))?,
            Language::TypeScript => types::write_to(folder)?,
            Language::Python | Language::JavaScript => {}
        }
        let mut out = anstream::stdout();
        writeln!(out, "made {}: the handler is {}", folder.display(), folder.join(self.lang.handler()).display())?;
        writeln!(out, "\n  cd {}", folder.display())?;
        writeln!(out, "  codenode test     # the replies to its events")?;
        writeln!(out, "  codenode dev      # the same at every change, with a webhook on this machine")?;
        Ok(ExitCode::SUCCESS)
    }

    /// The folder's own name: a node's id that is good for a crate, too.
    fn name(&self) -> anyhow::Result<NodeId> {
        let name = self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
        match name.parse() {
            Ok(id) if begins_well => Ok(id),
            Ok(_) | Err(_) => bail!(
                "`{}` is no good name: it begins with a letter, and goes on with letters, digits, `-` and `_`, 63 at the most, as in order-status",
                name.escape_debug()
            ),
        }
    }
}

impl Language {
    /// As the templates' folders are named after it.
    const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
        }
    }

    /// Where an author begins to write.
    const fn handler(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::Python => "main.py",
            Self::JavaScript => "main.js",
            Self::TypeScript => "main.ts",
        }
    }
}

impl Template {
    const fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::ApiCall => "api-call",
            Self::Otp => "otp",
            Self::Cards => "cards",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_there_in_every_language() {
        for language in Language::value_variants() {
            for template in Template::value_variants() {
                let handler = format!("{}/{}/{}", language.name(), template.name(), language.handler());
                assert!(Templates::get(&handler).is_some(), "{handler}");
                let events = format!("{ANY}/{}/events/", template.name());
                assert!(Templates::iter().filter(|path| path.starts_with(&events)).count() >= 4, "{events}");
            }
        }
    }

    #[test]
    fn a_bad_name_says_what_a_good_one_is() {
        for name in ["", "7up", "a b", "..", "é", &"a".repeat(64)] {
            let new = New { folder: PathBuf::from(name), lang: Language::Python, template: Template::Minimal };
            let named = new.name().map(|name| name.to_string());
            assert!(named.as_ref().is_err_and(|why| why.to_string().contains("order-status")), "{named:?}");
        }
    }
}
