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

/// The section with the name of the file, where that is not the usual one.
const FILE_SECTION: &str = "codenode.file";

/// The longest name of a file that is shown.
const MAX_FILE_BYTES: usize = 64;

/// A language that there is a runner for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// Of the platforms' own code editors.
    Python,
    /// ECMAScript modules and scripts.
    JavaScript,
    /// The same with types, which are taken away before it runs. Nobody checks them.
    TypeScript,
}

/// A source as an artifact holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source<'a> {
    pub(crate) language: Language,
    /// What it is called in what is said of it.
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
            Self::TypeScript => "TypeScript",
        })
    }
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Python, Self::JavaScript, Self::TypeScript];

    /// As sections are named after it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
        }
    }

    /// The language after which the runner is named that runs it.
    pub(crate) const fn runner(self) -> Self {
        match self {
            Self::Python => Self::Python,
            Self::JavaScript | Self::TypeScript => Self::JavaScript,
        }
    }

    /// What a source is called of which nobody said it.
    const fn usual_file(self) -> &'static str {
        match self {
            Self::Python => "main.py",
            Self::JavaScript => "main.js",
            Self::TypeScript => "main.ts",
        }
    }

    /// The language of a file, by the end of its name; `None` for what is no source.
    pub fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "py" => Some(Self::Python),
            "js" | "mjs" => Some(Self::JavaScript),
            "ts" | "mts" => Some(Self::TypeScript),
            _ => None,
        }
    }

    /// The artifact that a text in this language is uploaded as. Whether it is one the inspection says.
    pub fn artifact(self, text: &[u8]) -> Vec<u8> {
        self.artifact_of(self.usual_file(), text)
    }

    fn artifact_of(self, file: &str, text: &[u8]) -> Vec<u8> {
        let mut module = Module::new();
        if file != self.usual_file() && self.can_be(file) {
            module.section(&CustomSection { name: FILE_SECTION.into(), data: file.as_bytes().into() });
        }
        let name = format!("{SECTION}{}", self.name());
        module.section(&CustomSection { name: name.into(), data: text.into() });
        module.finish()
    }

    /// Whether a source in this language may be called so: it is shown in messages, and in the frames of an engine.
    fn can_be(self, file: &str) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        file.len() <= MAX_FILE_BYTES && file.bytes().all(is_plain) && Self::of_file(Path::new(file)) == Some(self)
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
        Some(language) => {
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or(language.usual_file());
            language.artifact_of(file, &bytes)
        }
        None => bytes,
    }
}

impl<'a> Source<'a> {
    /// The source that an artifact is, if it is one.
    pub(crate) fn read(artifact: &'a [u8]) -> Option<Self> {
        if !Parser::is_core_wasm(artifact) {
            return None;
        }
        let mut named = None;
        Parser::new(0).parse_all(artifact).find_map(|payload| {
            let Ok(Payload::CustomSection(section)) = payload else { return None };
            if section.name() == FILE_SECTION {
                named = str::from_utf8(section.data()).ok();
            }
            let language = Language::of_section(section.name())?;
            let file = named.filter(|file| language.can_be(file)).unwrap_or(language.usual_file());
            Some(Self { language, file, text: str::from_utf8(section.data()).ok()? })
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
                assert_eq!(Source::read(&artifact), Some(Source { language, file: language.usual_file(), text }));
            }
        }
        assert_eq!(Source::read(b"\0asm\x01\0\0\0"), None);
    }

    #[test]
    fn a_source_keeps_the_name_of_its_file_where_that_can_be_shown() {
        let named = |path: &str| {
            let artifact = artifact_of(Path::new(path), b"x".to_vec());
            Source::read(&artifact).unwrap().file.to_owned()
        };
        assert_eq!((named("a/bot.py"), named("shop-2.mts")), ("bot.py".to_owned(), "shop-2.mts".to_owned()));
        for path in ["main.py", "my bot.py", "बॉट.py", "a\n.py", &format!("{}.py", "x".repeat(62))] {
            assert_eq!(named(path), "main.py", "{path}");
        }
        assert_eq!(artifact_of(Path::new("a/main.js"), b"x".to_vec()), Language::JavaScript.artifact(b"x"));
        let forged = |file: &str| {
            let mut module = Module::new();
            module.section(&CustomSection { name: FILE_SECTION.into(), data: file.as_bytes().into() });
            module.section(&CustomSection { name: "codenode.source.typescript".into(), data: b"x".into() });
            Source::read(&module.finish()).unwrap().file.to_owned()
        };
        for file in ["main.js", "x\n.ts", "", ".."] {
            assert_eq!(forged(file), "main.ts", "{file}");
        }
    }

    #[test]
    fn the_end_of_a_file_s_name_tells_its_language() {
        let of = |name: &str| Language::of_file(Path::new(name));
        assert_eq!((of("a/main.py"), of("main.mjs")), (Some(Language::Python), Some(Language::JavaScript)));
        assert_eq!((of("main.ts"), of("bot.mts")), (Some(Language::TypeScript), Some(Language::TypeScript)));
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
