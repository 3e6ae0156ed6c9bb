//! Handlers that are kept as source. As an artifact, a source is an empty WebAssembly module with the text in a custom section, so that all that is
//! uploaded is of one kind, and what a revision runs is the very text that its author wrote.

use std::fmt;
use std::path::Path;
use std::str;

use wasm_encoder::{CustomSection, Module};
use wasmparser::{Parser, Payload};

/// The longest source.
pub const MAX_SOURCE_BYTES: usize = 256 << 10;

/// What the names of the sections begin with.
const SECTION: &str = "codenode.source.";

/// A language that there is a runner for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// Of the platforms' own code editors.
    Python,
    /// ECMAScript modules and scripts.
    JavaScript,
}

/// A source as an artifact holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source<'a> {
    pub(crate) language: Language,
    pub(crate) text: &'a str,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
        })
    }
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Python, Self::JavaScript];

    /// As sections and files are named after it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
        }
    }

    /// The language of a file, by the end of its name; `None` for what is no source.
    pub fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "py" => Some(Self::Python),
            "js" | "mjs" => Some(Self::JavaScript),
            _ => None,
        }
    }

    /// The artifact that a text in this language is uploaded as. Whether it is one the inspection says.
    pub fn artifact(self, text: &[u8]) -> Vec<u8> {
        let mut module = Module::new();
        let name = format!("{SECTION}{}", self.name());
        module.section(&CustomSection { name: name.into(), data: text.into() });
        module.finish()
    }

    /// The language of which a custom section holds a source.
    pub(crate) fn of_section(name: &str) -> Option<Self> {
        let name = name.strip_prefix(SECTION)?;
        Self::ALL.into_iter().find(|language| language.name() == name)
    }
}

/// The artifact that a file is: its bytes or, of a source, the artifact that holds it.
pub fn artifact_of(path: &Path, bytes: Vec<u8>) -> Vec<u8> {
    match Language::of_file(path) {
        Some(language) => language.artifact(&bytes),
        None => bytes,
    }
}

impl<'a> Source<'a> {
    /// The source that an artifact is, if it is one.
    pub(crate) fn read(artifact: &'a [u8]) -> Option<Self> {
        if !Parser::is_core_wasm(artifact) {
            return None;
        }
        Parser::new(0).parse_all(artifact).find_map(|payload| {
            let Ok(Payload::CustomSection(section)) = payload else { return None };
            let language = Language::of_section(section.name())?;
            Some(Self { language, text: str::from_utf8(section.data()).ok()? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, inspect};

    #[test]
    fn an_artifact_holds_the_text_as_it_was_written() {
        for text in ["", "def main(event, context):\r\n\treturn 'नमस्ते'\n", &"x".repeat(MAX_SOURCE_BYTES)]
        {
            for language in Language::ALL {
                let artifact = language.artifact(text.as_bytes());
                assert_eq!(Source::read(&artifact), Some(Source { language, text }));
            }
        }
        assert_eq!(Source::read(b"\0asm\x01\0\0\0"), None);
    }

    #[test]
    fn the_end_of_a_file_s_name_tells_its_language() {
        let of = |name: &str| Language::of_file(Path::new(name));
        assert_eq!((of("a/main.py"), of("main.mjs")), (Some(Language::Python), Some(Language::JavaScript)));
        assert_eq!((of("py"), of("main.wasm"), of("main.PY")), (None, None, None));
    }

    #[test]
    fn a_source_is_inspected_as_one() {
        let inspection = inspect(&Language::Python.artifact(b"def main(event, context): pass"));
        assert_eq!((inspection.kind, inspection.problems), (Some(Kind::Python), Vec::new()));
        let long = inspect(&Language::JavaScript.artifact(&vec![b'x'; MAX_SOURCE_BYTES + 1]));
        assert!(long.problems.concat().contains("256.0 KiB"), "{long:?}");
        let empty = inspect(&Language::JavaScript.artifact(b" \n"));
        assert!(empty.problems.concat().contains("is an empty source"), "{empty:?}");
        assert!(inspect(&Language::Python.artifact(b"\xff")).problems.concat().contains("UTF-8"));
    }
}
