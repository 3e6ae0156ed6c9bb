use std::fmt;

use serde::Deserialize;

use crate::output::{one_line, printable};

/// What a server says when it does not do what it was asked to.
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    status: u16,
    detail: String,
    #[serde(default)]
    problems: Vec<String>,
    #[serde(default)]
    request_id: String,
}

impl Problem {
    /// Whether it is the artifact that is at fault, and not the command.
    pub(crate) fn is_refusal(&self) -> bool {
        self.kind == "urn:codenode:problem:artifact-refused"
    }

    /// Whether the same request came before and is not answered yet.
    pub(crate) fn is_under_way(&self) -> bool {
        self.kind == "urn:codenode:problem:idempotency-key-in-use"
    }

    /// Whether the same request may do later.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..)
    }

    pub(crate) const fn status(&self) -> u16 {
        self.status
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its detail is its problems once more, in one line.
        if self.is_refusal() && !self.problems.is_empty() {
            f.write_str("the server refuses the artifact:")?;
            return self.problems.iter().try_for_each(|problem| write!(f, "\n  - it {}", one_line(problem)));
        }
        f.write_str(&printable(&self.detail))?;
        for problem in &self.problems {
            write!(f, "\n  - {}", one_line(problem))?;
        }
        if self.status == 401 {
            f.write_str("\n  `codenode login` takes another key, and CODENODE_KEY goes before it")?;
        }
        if self.status >= 500 && !self.request_id.is_empty() {
            write!(f, "\n  the request's id is {}", one_line(&self.request_id))?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: u16, kind: &str, problems: &[&str]) -> String {
        let problem = json!({
            "type": format!("urn:codenode:problem:{kind}"), "title": "t", "status": status, "detail": "what\u{1b}[2J is wrong",
            "request_id": "r1", "problems": problems,
        });
        serde_json::from_value::<Problem>(problem).unwrap().to_string()
    }

    #[test]
    fn a_problem_says_all_that_is_wrong() {
        assert_eq!(told(400, "invalid-request", &["one", "two"]), "what\\u{1b}[2J is wrong\n  - one\n  - two");
        assert_eq!(
            told(422, "artifact-refused", &["is empty", "x\u{1b}"]),
            "the server refuses the artifact:\n  - it is empty\n  - it x\\u{1b}"
        );
    }

    #[test]
    fn a_fault_of_the_servers_names_the_request_for_its_operator() {
        assert_eq!(told(503, "storage-unavailable", &[]), "what\\u{1b}[2J is wrong\n  the request's id is r1");
    }
}
