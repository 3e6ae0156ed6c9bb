//! What an artifact is and whether codenode would run it, told before anything compiles.
//!
//! Pure: bytes in, verdict out. It reads hostile bytes, so it takes nothing for granted, bounds what it counts, and lists **all** problems.

mod census;
pub(crate) mod features;
mod imports;

use std::collections::BTreeSet;

use bytesize::ByteSize;
use model::{ArtifactId, Family};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::gates::Gates;
use crate::source::Language;
use census::Census;

/// The verdict on one artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// SHA-256 of the bytes.
    pub artifact: String,
    /// Size of the artifact in bytes.
    pub bytes: u64,
    /// What it is, where that can be told.
    pub kind: Option<Kind>,
    /// Whether it is a core module: that of a code node becomes a component when it is compiled, a WASI program runs as it is.
    pub core_module: bool,
    /// What it imports: interfaces of a component, or functions of a core module.
    pub imports: Vec<Import>,
    /// Functions of all core modules together.
    pub functions: u64,
    /// The code of the largest function, in bytes.
    pub largest_function_bytes: u64,
    /// Why codenode refuses it, each with what to do; empty if it does not.
    pub problems: Vec<String>,
}

/// The contract that a guest is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A component that exports `handle` of the world `codenode:node/code-node`.
    CodeNode,
    /// A WASI program: event on standard input, reply on standard output.
    Command,
    /// A component that exports `wasi:http/incoming-handler`: the event is a POST, and the reply the body of a response with the status 200.
    Http,
    /// A handler in Python, as its author wrote it.
    Python,
    /// A handler in JavaScript, as its author wrote it.
    #[serde(rename = "javascript")]
    JavaScript,
    /// A handler in TypeScript, as its author wrote it.
    #[serde(rename = "typescript")]
    TypeScript,
    /// What runs handlers that are kept as source: codenode's own.
    Runner,
}

/// How an artifact is compiled, loaded and called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A component that exports `handle`.
    CodeNode,
    /// A component that exports `wasi:cli/run`.
    Command,
    /// A core module that exports `_start`.
    Program,
    /// A component that exports `wasi:http/incoming-handler`.
    Http,
    /// A component that exports `compile` and `run`.
    Runner,
}

impl Inspection {
    /// The capabilities that it may use, each of which takes a grant.
    pub fn needs(&self) -> BTreeSet<Family> {
        self.imports.iter().filter_map(|import| imports::family(&import.name)).collect()
    }

    /// What is to be made of it, where that can be told.
    pub(crate) fn form(&self) -> Option<Form> {
        Some(match self.kind? {
            Kind::CodeNode => Form::CodeNode,
            Kind::Command if self.core_module => Form::Program,
            Kind::Command => Form::Command,
            Kind::Http => Form::Http,
            Kind::Runner => Form::Runner,
            Kind::Python | Kind::JavaScript | Kind::TypeScript => return None,
        })
    }
}

impl Kind {
    /// The language of a source.
    pub(crate) const fn language(self) -> Option<Language> {
        match self {
            Self::Python => Some(Language::Python),
            Self::JavaScript => Some(Language::JavaScript),
            Self::TypeScript => Some(Language::TypeScript),
            Self::CodeNode | Self::Command | Self::Http | Self::Runner => None,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::CodeNode => "code node",
            Self::Command => "command",
            Self::Http => "http handler",
            Self::Python => "Python source",
            Self::JavaScript => "JavaScript source",
            Self::TypeScript => "TypeScript source",
            Self::Runner => "runner",
        })
    }
}

/// One import of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Import {
    /// `wasi:clocks/wall-clock@0.2.6`, or `wasi_snapshot_preview1.fd_write`.
    pub name: String,
    /// How codenode answers it.
    pub offer: Offer,
}

/// How codenode answers an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Offer {
    /// Served.
    Served,
    /// Linked for a language runtime that imports it unasked, with nothing behind it: every call is denied.
    Denied,
    /// Not offered; the artifact is refused.
    Refused,
}

/// Inspects an artifact. Never fails and never panics: what is wrong is in [`Inspection::problems`].
pub fn inspect(artifact: &[u8]) -> Inspection {
    let digest: [u8; 32] = Sha256::digest(artifact).into();
    let mut inspection = Inspection {
        artifact: ArtifactId::from_sha256(digest).to_string(),
        bytes: artifact.len() as u64,
        kind: None,
        core_module: false,
        imports: Vec::new(),
        functions: 0,
        largest_function_bytes: 0,
        problems: Vec::new(),
    };
    if let Some(problem) = not_wasm(artifact) {
        inspection.problems.push(problem);
        return inspection;
    }
    let mut census = Census::take(artifact);
    inspection.functions = census.functions;
    inspection.largest_function_bytes = census.largest_function_bytes;
    inspection.core_module = !census.is_component;
    inspection.problems.append(&mut census.problems);
    // The validator's time is bounded only for what the census let through.
    if inspection.problems.is_empty() {
        inspection.problems.extend(features::problems(artifact));
    }
    if census.is_readable {
        inspection.imports = imports::offers(&census);
        inspection.problems.extend(imports::problems(&inspection.imports));
        match kind(&census) {
            Ok(kind) => inspection.kind = Some(kind),
            Err(problem) => inspection.problems.push(problem),
        }
    }
    inspection
}

/// The cheapest questions, which most mistaken uploads fail.
fn not_wasm(artifact: &[u8]) -> Option<String> {
    if artifact.len() > Gates::ARTIFACT_BYTES {
        let (size, cap) = (ByteSize(artifact.len() as u64), ByteSize(Gates::ARTIFACT_BYTES as u64));
        return Some(format!(
            "is {size} large; the limit is {cap}: build it in release mode and strip its debug information"
        ));
    }
    if artifact.starts_with(b"\0asm") {
        return None;
    }
    Some(if artifact.is_empty() {
        "is empty; upload a compiled .wasm file".to_owned()
    } else if artifact.starts_with(b"\x7fELF") {
        "is an ELF file (a native or precompiled binary); upload the .wasm file that it was made from".to_owned()
    } else if artifact.trim_ascii_start().starts_with(b"(") {
        "is WebAssembly text; compile it to binary first, for example with `wasm-tools parse`".to_owned()
    } else {
        "is not WebAssembly (it does not begin with \\0asm); upload a compiled .wasm file".to_owned()
    })
}

fn kind(census: &Census) -> Result<Kind, String> {
    let exports = |name: &str| census.exports.iter().any(|export| export.starts_with(name));
    let handles = census.exports.iter().any(|export| export == "handle");
    let (runs, responds) = (exports("wasi:cli/run@0.2."), exports("wasi:http/incoming-handler@0.2."));
    match (census.is_component, handles, runs, responds) {
        (true, true, false, false) => Ok(Kind::CodeNode),
        (true, false, true, false) => Ok(Kind::Command),
        (true, false, false, true) => Ok(Kind::Http),
        (true, false, false, false) if exports("compile") && exports("run") => Ok(Kind::Runner),
        (true, false, false, false) => Err(format!(
            "is a component that exports neither `handle` (world codenode:node/code-node) nor `wasi:cli/run@0.2` nor \
             `wasi:http/incoming-handler@0.2`; it exports {}",
            list(&census.exports)
        )),
        (true, ..) => Err(
            "exports several of `handle`, `wasi:cli/run` and `wasi:http/incoming-handler`: keep the one that codenode shall call"
                .to_owned(),
        ),
        (false, ..) if let Some(language) = census.source => Ok(match language {
            Language::Python => Kind::Python,
            Language::JavaScript => Kind::JavaScript,
            Language::TypeScript => Kind::TypeScript,
        }),
        (false, ..) if census.has_component_type => Ok(Kind::CodeNode),
        (false, ..) if census.exports.iter().any(|export| export == "_start") => Ok(Kind::Command),
        (false, ..) => Err(format!(
            "is a core module that exports no `_start` and carries no component type: build a WASI program or use an SDK; it exports {}",
            list(&census.exports)
        )),
    }
}

/// At most eight names; a hostile artifact may have a million.
fn list(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => {
            let shown: Vec<String> = names.iter().take(8).map(|name| format!("`{}`", name.escape_debug())).collect();
            let rest = names.len().saturating_sub(8);
            if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
        }
    }
}
