//! As much of an HTTP client as it takes to look in on a server on this machine: one that answers and then closes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(5);

/// The status and the JSON of an answer; `null` for a body that is something else.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Reads one resource.
pub(crate) fn get(address: &str, path: &str, token: Option<&str>) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let authorization = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{authorization}\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text).with_context(|| format!("{address} did not answer"))?;
    parse(&text).with_context(|| format!("cannot understand the answer of http://{address}{path}"))
}

/// The server gives a length and then closes, so the body is what follows the head.
fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer { status, body: serde_json::from_str(body).unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = parse("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"a\": true}").unwrap();
        assert_eq!((answer.status, &answer.body["a"]), (200, &Value::Bool(true)));
        assert!(parse("no answer").is_none());
    }
}
