//! The command line as somebody at a shell meets it.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::server::{CODENODE, Server, TOKEN};

/// Somebody at a shell, with a home of their own.
pub(super) struct Shell {
    pub(super) home: TempDir,
    pub(super) environment: Vec<(&'static str, String)>,
}

impl Shell {
    /// Whoever knows no server.
    pub(super) fn new() -> Self {
        Self { home: TempDir::new().unwrap(), environment: Vec::new() }
    }

    /// Whoever has the server's token in the environment, and means the tenant `acme`.
    pub(super) fn of(server: &Server) -> Self {
        Self::new().with("CODENODE_SERVER", &url(server)).with("CODENODE_KEY", TOKEN).with("CODENODE_TENANT", "acme")
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
        self
    }

    pub(super) fn starts(&self, line: &str) -> Child {
        Command::new(CODENODE)
            .args(line.split_whitespace())
            .env_clear()
            .env("HOME", self.home.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub(super) fn type_in(&self, line: &str, input: &[u8]) -> Done {
        let mut child = self.starts(line);
        // A command that fails before it reads its input closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(input);
        Done(child.wait_with_output().unwrap(), line.to_owned())
    }

    /// A command that must go well, and what it says.
    pub(super) fn does(&self, line: &str) -> String {
        self.type_in(line, b"").exits(0).out()
    }

    pub(super) fn json(&self, line: &str) -> Value {
        self.type_in(&format!("{line} --json"), b"").exits(0).json()
    }
}

pub(super) struct Done(Output, String);

impl Done {
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Self {
        assert_eq!(self.0.status.code(), Some(code), "{}: {}{}", self.1, self.out(), self.err());
        self
    }

    /// Fails with exit code 2 and these words.
    #[track_caller]
    pub(super) fn says_why(self, words: &str) {
        let done = self.exits(2);
        assert!(done.err().contains(words), "{}: {}", done.1, done.err());
    }

    pub(super) fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(super) fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.out()).unwrap_or_else(|error| panic!("{}: {error}: {}", self.1, self.out()))
    }
}

pub(super) fn url(server: &Server) -> String {
    format!("http://{}", server.management)
}
