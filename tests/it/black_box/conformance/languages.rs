//! Who is asked: every language that a handler can be in, and what each of them cannot do, with the reason.

use std::path::{Path, PathBuf};

use model::Cause;

use super::super::server::guest;

/// One column of the matrix.
pub(super) struct Language {
    pub(super) name: &'static str,
    handler: Handler,
    cannot: &'static [&'static [Cannot]],
}

enum Handler {
    /// Built by `cargo xtask guests`.
    Built(&'static str),
    /// Uploaded as it is.
    Source(&'static str),
}

/// A case that a language cannot do, and what comes of its event instead. A case that it does all the same is an error, too.
pub(super) struct Cannot {
    case: &'static str,
    pub(super) instead: Cause,
    pub(super) why: &'static str,
}

impl Language {
    pub(super) fn handler(&self) -> PathBuf {
        match self.handler {
            Handler::Built(name) => guest(name),
            Handler::Source(name) => {
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/conformance").join(name)
            }
        }
    }

    pub(super) fn cannot(&self, case: &str) -> Option<&'static Cannot> {
        self.cannot.iter().copied().flatten().find(|cannot| cannot.case == case)
    }

    /// The cases that are listed, each of which there must be.
    pub(super) fn listed(&self) -> impl Iterator<Item = &'static str> {
        self.cannot.iter().copied().flatten().map(|cannot| cannot.case)
    }
}

const fn cannot(case: &'static str, instead: Cause, why: &'static str) -> Cannot {
    Cannot { case, instead, why }
}

/// A language that is compiled ahead takes its place here, with the name of its guest and the lists of what it cannot do.
pub(super) const ALL: [Language; 11] = [
    Language { name: "Rust component", handler: Handler::Built("conformance"), cannot: &[NO_EXIT] },
    Language { name: "Rust command", handler: Handler::Built("conformance-command"), cannot: &[COMMAND] },
    Language { name: "Python source", handler: Handler::Source("main.py"), cannot: &[NO_EXIT, PYTHON] },
    Language {
        name: "Python component",
        handler: Handler::Built("conformance-py"),
        cannot: &[NO_EXIT, PYTHON, PYTHON_COMPONENT],
    },
    Language { name: "JavaScript source", handler: Handler::Source("main.js"), cannot: &[NO_EXIT, JAVASCRIPT] },
    Language { name: "TypeScript source", handler: Handler::Source("typescript.ts"), cannot: &[NO_EXIT, JAVASCRIPT] },
    Language {
        name: "JavaScript component",
        handler: Handler::Built("conformance-js"),
        cannot: &[NO_EXIT, JAVASCRIPT_COMPONENT],
    },
    Language { name: "C command", handler: Handler::Built("conformance-c"), cannot: &[COMMAND] },
    Language { name: "Go command", handler: Handler::Built("conformance-go"), cannot: &[COMMAND, GO] },
    Language { name: "Zig command", handler: Handler::Built("conformance-zig"), cannot: &[COMMAND] },
    Language {
        name: "AssemblyScript command",
        handler: Handler::Built("conformance-assemblyscript"),
        cannot: &[COMMAND],
    },
];

const NO_EXIT: &[Cannot] =
    &[cannot("exit", Cause::Exception, "it is no program: its handler returns or fails, and has no exit code")];

const COMMAND: &[Cannot] = &[
    cannot("exception", Cause::Exit, "a program has no other error than its exit code"),
    cannot("upstream_failed", Cause::Exit, "WASI preview 1 has no requests"),
    cannot("upstream_failed, by a status", Cause::Exit, "WASI preview 1 has no requests"),
    cannot("config", Cause::Exit, "WASI preview 1 has no configuration"),
    cannot("key-value", Cause::Exit, "WASI preview 1 has no key-value store"),
    cannot("messages", Cause::Exit, "WASI preview 1 has no key-value store"),
    cannot("http", Cause::Exit, "WASI preview 1 has no requests"),
    cannot("connection", Cause::Exit, "WASI preview 1 has no requests"),
];

const PYTHON: &[Cannot] = &[
    cannot("trap", Cause::Exception, "the interpreter makes an exception of every fault"),
    cannot("out_of_stack", Cause::Exception, "it is a RecursionError"),
];

const PYTHON_COMPONENT: &[Cannot] =
    &[cannot("reply_not_json", Cause::ReplyEmpty, "its SDK writes the JSON, and knows no envelope")];

const JAVASCRIPT_COMPONENT: &[Cannot] = &[
    cannot("trap", Cause::Exception, "the interpreter makes an exception of every fault"),
    cannot("reply_not_json", Cause::Exception, "its SDK writes the JSON"),
    cannot("sleep", Cause::Exception, "QuickJS has no timers"),
    cannot("out_of_time", Cause::Exception, "QuickJS has no timers"),
    cannot("upstream_failed", Cause::Exception, "componentize-qjs cannot build for a world that has requests"),
    cannot(
        "upstream_failed, by a status",
        Cause::Exception,
        "componentize-qjs cannot build for a world that has requests",
    ),
    cannot("http", Cause::Exception, "componentize-qjs cannot build for a world that has requests"),
    cannot("connection", Cause::Exception, "componentize-qjs cannot build for a world that has requests"),
];

const JAVASCRIPT: &[Cannot] = &[
    cannot(
        "upstream_failed, by a status",
        Cause::Exception,
        "its fetch leaves statuses to the handler, whose own error it is",
    ),
    cannot("out_of_stack", Cause::Exception, "it is an InternalError: too much recursion"),
];

const GO: &[Cannot] = &[
    cannot("trap", Cause::Exit, "its runtime ends a program that panics or faults, with the code 2"),
    cannot("out_of_memory", Cause::Exit, "its runtime ends a program that gets no memory, with the code 2"),
];
