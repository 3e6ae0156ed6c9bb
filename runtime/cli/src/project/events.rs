//! A project's events, and what shall come of them: `events/NAME.json` with `NAME.reply.json` or, where the run shall break, `NAME.break.json`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use model::{Blame, BotBreak, Cause, Event, Outcome, Reply};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::Project;
use crate::event;

/// Below the project.
const FOLDER: &str = "events";
const REPLY: &str = ".reply.json";
const BREAK: &str = ".break.json";

const MAX_CASES: usize = 10_000;
/// A file larger than this is no expected reply: none may be.
const MAX_EXPECTED_BYTES: u64 = 8 << 20;
/// Lines around a difference.
const CONTEXT_LINES: usize = 3;

/// One event, by the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: String,
    folder: PathBuf,
}

/// What shall come of an event.
#[derive(Debug, PartialEq)]
pub(crate) enum Expected {
    /// Nobody has said.
    Nothing,
    Reply(Value),
    Break(Broken),
}

/// A bot break as a file expects it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Broken {
    cause: Cause,
    /// What must stand in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// How an outcome stands to what was expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    AsExpected,
    /// Lines that begin with `-` (expected), `+` (what came) or a space.
    Differs(String),
    /// Nothing was expected.
    New,
    /// It is what this file expects from now on.
    Kept(String),
    /// What came shall not be expected, or one of the files cannot be read.
    Refused(String),
}

/// The project's events, by their names.
///
/// # Errors
/// If there is none, or an expected reply that no event belongs to.
pub(crate) fn cases(project: &Project) -> anyhow::Result<Vec<Case>> {
    let folder = project.path(FOLDER);
    let shown = folder.display();
    let mut names = BTreeSet::new();
    let mut expected = Vec::new();
    let listed = if folder.is_dir() { Some(fs::read_dir(&folder)) } else { None };
    for entry in listed.transpose().with_context(|| format!("cannot read {shown}"))?.into_iter().flatten() {
        let file = entry.with_context(|| format!("cannot read {shown}"))?.file_name();
        let Some(file) = file.to_str() else { continue };
        match file.strip_suffix(REPLY).or_else(|| file.strip_suffix(BREAK)) {
            Some(name) => expected.push((name.to_owned(), file.to_owned())),
            None => names.extend(file.strip_suffix(".json").map(str::to_owned)),
        }
    }
    if names.len() > MAX_CASES {
        bail!("{shown} holds more than {MAX_CASES} events");
    }
    if let Some((name, file)) = expected.iter().find(|(name, _)| !names.contains(name)) {
        bail!("{shown}/{file} belongs to no event: write {shown}/{name}.json, or remove it");
    }
    if names.is_empty() {
        bail!(
            "there is no event: write one as {shown}/NAME.json, and `codenode test --update` keeps the reply beside it"
        );
    }
    Ok(names.into_iter().map(|name| Case { name, folder: folder.clone() }).collect())
}

impl Case {
    /// Reads the event.
    ///
    /// # Errors
    /// If it is none; names the file.
    pub(crate) fn event(&self) -> anyhow::Result<Event> {
        let file = self.path();
        Event::parse(event::read(&file)?).with_context(|| file.display().to_string())
    }

    /// Reads what is expected.
    ///
    /// # Errors
    /// If that could never come; names the file.
    pub(crate) fn expected(&self) -> anyhow::Result<Expected> {
        let (reply, broken) = (self.file(REPLY), self.file(BREAK));
        match (reply.is_file(), broken.is_file()) {
            (true, true) => bail!("there are both {} and {}: remove one of the two", reply.display(), broken.display()),
            (false, false) => Ok(Expected::Nothing),
            (true, false) => {
                let expected = Reply::parse(read(&reply)?);
                Ok(Expected::Reply(form(&expected.map_err(|why| anyhow!("{}: {why}", reply.display()))?)))
            }
            (false, true) => {
                let expected = serde_json::from_str(&read(&broken)?);
                Ok(Expected::Break(expected.with_context(|| {
                    format!("{} is no bot break; write {{\"cause\": \"exception\"}}", broken.display())
                })?))
            }
        }
    }

    /// Lets what came be what is expected from now on, in the place of whatever was there, also of what could not be read. A break takes no reply's place,
    /// for that is more often a mistake than wanted.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn keep(&self, outcome: &Outcome) -> anyhow::Result<Verdict> {
        if matches!(self.expected().map(|expected| expected.compare(outcome)), Ok(Verdict::AsExpected)) {
            // As somebody wrote it.
            return Ok(Verdict::AsExpected);
        }
        let (reply, broken) = (self.file(REPLY), self.file(BREAK));
        let kept = match outcome {
            Outcome::Reply(came) => {
                write(&reply, &form(came))?;
                if broken.is_file() {
                    fs::remove_file(&broken).with_context(|| format!("cannot remove {}", broken.display()))?;
                }
                reply
            }
            Outcome::BotBreak(BotBreak { cause, .. }) if cause.blame() == Blame::Host => {
                return Ok(Verdict::Refused(format!("{cause} is no fault of the handler's, and is not kept")));
            }
            Outcome::BotBreak(_) if reply.is_file() => {
                let reply = reply.display();
                return Ok(Verdict::Refused(format!(
                    "a reply is expected, and a break is not kept in its place: remove {reply} if it is right"
                )));
            }
            Outcome::BotBreak(BotBreak { cause, .. }) => {
                write(&broken, &serde_json::to_value(Broken { cause: *cause, detail: None })?)?;
                broken
            }
        };
        Ok(Verdict::Kept(kept.display().to_string()))
    }

    /// The event's file.
    pub(crate) fn path(&self) -> PathBuf {
        self.file(".json")
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{ending}", self.name))
    }
}

impl Expected {
    /// Whether this came.
    pub(crate) fn compare(&self, outcome: &Outcome) -> Verdict {
        let came = match outcome {
            Outcome::Reply(reply) => pretty(&form(reply)),
            Outcome::BotBreak(BotBreak { cause, detail, .. }) => format!("bot break: {cause}\n{detail}"),
        };
        match (self, outcome) {
            (Self::Nothing, _) => Verdict::New,
            (Self::Reply(expected), Outcome::Reply(reply)) if *expected == form(reply) => Verdict::AsExpected,
            (Self::Reply(expected), _) => Verdict::Differs(difference(&pretty(expected), &came)),
            (Self::Break(broken), Outcome::BotBreak(came)) if broken.is(came) => Verdict::AsExpected,
            (Self::Break(Broken { cause, detail }), _) => {
                let detail = detail.as_ref().map(|detail| format!("\n{detail}")).unwrap_or_default();
                Verdict::Differs(difference(&format!("bot break: {cause}{detail}"), &came))
            }
        }
    }
}

impl Broken {
    fn is(&self, came: &BotBreak) -> bool {
        self.cause == came.cause && self.detail.as_ref().is_none_or(|part| came.detail.contains(part.as_str()))
    }
}

/// A reply for people: an element is an object, and not a text that holds one.
fn form(reply: &Reply) -> Value {
    let mut form: Value = serde_json::from_str(reply.as_str()).unwrap_or_default();
    let messages = form.get_mut("response").and_then(Value::as_array_mut);
    for message in messages.into_iter().flatten() {
        let element = message.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(element) = element.filter(|element| element.get("type").is_some_and(Value::is_string)) {
            *message = element;
        }
    }
    form
}

fn write(file: &Path, value: &Value) -> anyhow::Result<()> {
    fs::write(file, pretty(value) + "\n").with_context(|| format!("cannot write {}", file.display()))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// The lines that differ, with a few around them.
fn difference(expected: &str, came: &str) -> String {
    let diff = TextDiff::from_lines(expected, came);
    let mut lines = Vec::new();
    for (at, group) in diff.grouped_ops(CONTEXT_LINES).iter().enumerate() {
        if at > 0 {
            lines.push("  …".to_owned());
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            lines.push(format!("{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    lines.join("\n")
}

fn read(file: &Path) -> anyhow::Result<String> {
    let shown = file.display();
    if fs::metadata(file).with_context(|| format!("cannot read {shown}"))?.len() > MAX_EXPECTED_BYTES {
        bail!("{shown} is larger than any reply");
    }
    fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(json: &str) -> Outcome {
        Outcome::Reply(Reply::parse(json.to_owned()).unwrap())
    }

    fn case() -> (tempfile::TempDir, Case) {
        let folder = tempfile::tempdir().unwrap();
        let case = Case { name: "a".to_owned(), folder: folder.path().to_owned() };
        (folder, case)
    }

    #[test]
    fn what_is_kept_is_expected_from_then_on() {
        let (_folder, case) = case();
        let element = r#"{"response":["Hi",{"type":"BUTTON","text":"b","data":{"items":[]}}],"note":"x"}"#;
        let broken = Outcome::BotBreak(BotBreak::new(Cause::Exception, "main.py:3: oh"));
        assert_eq!(case.expected().unwrap().compare(&broken), Verdict::New);
        for outcome in [&broken, &reply(element), &reply(r#"{"status":false,"response":["No"]}"#)] {
            assert!(matches!(case.keep(outcome).unwrap(), Verdict::Kept(_)));
            assert_eq!(case.expected().unwrap().compare(outcome), Verdict::AsExpected);
            assert_eq!(case.keep(outcome).unwrap(), Verdict::AsExpected);
        }
        case.keep(&reply(element)).unwrap();
        assert!(read(&case.file(REPLY)).unwrap().contains("\"type\": \"BUTTON\""), "as an object, for people");
    }

    #[test]
    fn a_break_takes_no_replys_place_and_none_of_the_hosts_is_kept() {
        let (_folder, case) = case();
        let internal = Outcome::BotBreak(BotBreak::new(Cause::Internal, "oh"));
        assert!(matches!(case.keep(&internal).unwrap(), Verdict::Refused(_)));
        assert_eq!(case.expected().unwrap(), Expected::Nothing);
        let good = reply(r#"{"response":["Hi"]}"#);
        case.keep(&good).unwrap();
        let broken = Outcome::BotBreak(BotBreak::new(Cause::Exception, "main.py:3: oh"));
        let Verdict::Refused(why) = case.keep(&broken).unwrap() else { panic!("it is kept") };
        assert!(why.contains("remove ") && why.contains("a.reply.json"), "{why}");
        assert_eq!(case.expected().unwrap().compare(&good), Verdict::AsExpected);
    }

    #[test]
    fn a_difference_is_told_by_the_line() {
        let (_folder, case) = case();
        case.keep(&reply(r#"{"response":["It costs 1500.","Bye"]}"#)).unwrap();
        let Verdict::Differs(difference) =
            case.expected().unwrap().compare(&reply(r#"{"response":["It costs 1400.","Bye"]}"#))
        else {
            panic!("no difference")
        };
        insta::assert_snapshot!(difference, @r#"
          {
            "response": [
        -     "It costs 1500.",
        +     "It costs 1400.",
              "Bye"
            ],
            "status": true
        "#);
    }

    #[test]
    fn a_break_may_say_what_stands_in_its_detail() {
        let (_folder, case) = case();
        fs::write(case.file(BREAK), r#"{"cause": "exception", "detail": "oh"}"#).unwrap();
        let came = |detail| Outcome::BotBreak(BotBreak::new(Cause::Exception, detail));
        assert_eq!(case.expected().unwrap().compare(&came("main.py:3: oh")), Verdict::AsExpected);
        assert_ne!(case.expected().unwrap().compare(&came("main.py:3: ah")), Verdict::AsExpected);
        fs::write(case.file(BREAK), r#"{"cause": "exeption"}"#).unwrap();
        let wrong = format!("{:#}", case.expected().unwrap_err());
        assert!(wrong.contains("a.break.json") && wrong.contains("the causes are trap"), "{wrong}");
    }
}
