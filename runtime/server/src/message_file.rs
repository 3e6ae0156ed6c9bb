//! Messages as a file, for people, their editors and their spreadsheets: JSON, or CSV with a line for each. What is written is read as it was.

use std::collections::HashMap;
use std::fmt;

use anyhow::Context as _;
use csv::{ErrorKind, Position, StringRecord};
use model::{Language, MessageKey, MessageName, MessageText};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use storage::{MAX_MESSAGES, MessageWrite};
use utoipa::ToSchema;

/// The largest file that is read.
pub const MAX_MESSAGE_FILE_BYTES: usize = 32 << 20;

/// By this a spreadsheet knows that a file is UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

const COLUMNS: [&str; 4] = ["key", "language", "text", "description"];

/// How a file of messages is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageFormat {
    /// An object whose `messages` are a list of objects.
    #[default]
    Json,
    /// A line for each, below a header: `key,language,text,description`.
    Csv,
}

/// What is wrong with a file of messages, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MessageFileError(String);

/// Messages, to be kept elsewhere or brought in.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageFile)]
pub(crate) struct File {
    #[serde(deserialize_with = "few")]
    #[schema(max_items = 10_000)]
    messages: Vec<Line>,
}

/// One of a file's messages.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageLine)]
struct Line {
    key: MessageKey,
    /// Absent: for every language that has no text of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    #[schema(min_length = 1, max_length = 16_384)]
    text: String,
    /// Absent: as it was.
    #[serde(default)]
    #[schema(max_length = 1_024)]
    description: Option<String>,
}

impl MessageFormat {
    /// The media type, as it is answered.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// How the name of such a file ends.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn read(self, bytes: &[u8]) -> Result<Vec<MessageWrite>, MessageFileError> {
        let text = str::from_utf8(bytes).map_err(|error| {
            MessageFileError(format!("byte {} is no UTF-8: save the file as UTF-8", error.valid_up_to() + 1))
        })?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let (read, place) = match self {
            Self::Json => (read_json(text)?, "message"),
            Self::Csv => (read_csv(text)?, "line"),
        };
        let (mut writes, mut places) = (Vec::with_capacity(read.len()), HashMap::new());
        for (at, write) in read {
            let wrong = |why: &dyn fmt::Display| MessageFileError(format!("{place} {at}: {why}"));
            write.check().map_err(|error| wrong(&error))?;
            if let Some(before) = places.insert(write.name.clone(), at) {
                return Err(wrong(&format!("the message {} is in {place} {before} already: say it once", write.name)));
            }
            writes.push(write);
        }
        Ok(writes)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// Nothing that anybody could do anything about.
    pub fn write(self, messages: Vec<MessageText>) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Json => {
                let line = |MessageText { key, language, text, description, .. }| Line {
                    key,
                    language,
                    text,
                    description: Some(description),
                };
                let file = File { messages: messages.into_iter().map(line).collect() };
                let mut bytes = serde_json::to_vec_pretty(&file).context("cannot write messages as JSON")?;
                bytes.push(b'\n');
                Ok(bytes)
            }
            Self::Csv => {
                let mut writer = csv::Writer::from_writer(BYTE_ORDER_MARK.as_bytes().to_vec());
                writer.write_record(COLUMNS)?;
                for MessageText { key, language, text, description, .. } in &messages {
                    let language = language.as_ref().map_or("", Language::as_str);
                    writer.write_record([key.as_str(), language, text, description])?;
                }
                writer.into_inner().context("cannot write messages as CSV")
            }
        }
    }
}

/// The messages with their numbers, from 1 on.
fn read_json(text: &str) -> Result<Vec<(u64, MessageWrite)>, MessageFileError> {
    let file: File = serde_json::from_str(text).map_err(|error| MessageFileError(error.to_string()))?;
    let write = |Line { key, language, text, description }| MessageWrite {
        name: MessageName { key, language },
        text,
        description,
    };
    Ok((1..).zip(file.messages.into_iter().map(write)).collect())
}

/// The messages with their lines, from 1 on.
fn read_csv(text: &str) -> Result<Vec<(u64, MessageWrite)>, MessageFileError> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = Columns::find(reader.headers().map_err(|error| of_csv(&error))?)?;
    let mut writes = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| of_csv(&error))?;
        let line = record.position().map_or(0, Position::line);
        // As a spreadsheet leaves them.
        if record.iter().all(str::is_empty) {
            continue;
        }
        if writes.len() == MAX_MESSAGES as usize {
            return Err(MessageFileError(too_many()));
        }
        let write = columns.read(&record).map_err(|why| MessageFileError(format!("line {line}: {why}")))?;
        writes.push((line, write));
    }
    Ok(writes)
}

/// Where the columns of a file are; they may stand in any order.
struct Columns {
    key: usize,
    language: Option<usize>,
    text: usize,
    description: Option<usize>,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, MessageFileError> {
        let of = |name: &str| header.iter().position(|column| column.trim() == name);
        let wrong = |why: String| {
            MessageFileError(format!("line 1: {why}; the columns are {}, separated by commas", COLUMNS.join(", ")))
        };
        for (at, column) in header.iter().map(str::trim).enumerate() {
            let shown: String = column.chars().take(64).flat_map(char::escape_debug).collect();
            if !COLUMNS.contains(&column) {
                return Err(wrong(format!("`{shown}` is no column")));
            }
            if of(column) != Some(at) {
                return Err(wrong(format!("the column `{shown}` comes twice")));
            }
        }
        let needed = |name: &str| of(name).ok_or_else(|| wrong(format!("the column `{name}` is missing")));
        Ok(Self {
            key: needed("key")?,
            language: of("language"),
            text: needed("text")?,
            description: of("description"),
        })
    }

    fn read(&self, record: &StringRecord) -> Result<MessageWrite, String> {
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let language = self.language.map(cell).filter(|language| !language.is_empty());
        let name = MessageName {
            key: cell(self.key).parse().map_err(|error: model::MessageNameError| error.to_string())?,
            language: language
                .map(str::parse)
                .transpose()
                .map_err(|error: model::MessageNameError| error.to_string())?,
        };
        let description = self.description.map(cell).map(str::to_owned);
        Ok(MessageWrite { name, text: cell(self.text).to_owned(), description })
    }
}

fn of_csv(error: &csv::Error) -> MessageFileError {
    if let ErrorKind::UnequalLengths { pos: Some(position), expected_len, len } = error.kind() {
        let line = position.line();
        return MessageFileError(format!(
            "line {line}: it has {len} cells, and the header has {expected_len}: put a cell that holds a comma, a quote or a line break in quotes"
        ));
    }
    MessageFileError(error.to_string())
}

fn too_many() -> String {
    format!("there are more than {MAX_MESSAGES} messages, which is as many as a tenant has")
}

/// No more of a list than a tenant has messages.
fn few<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Line>, D::Error> {
    struct Few;

    impl<'de> Visitor<'de> for Few {
        type Value = Vec<Line>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of messages")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Line>, A::Error> {
            let mut lines = Vec::new();
            while let Some(line) = list.next_element()? {
                if lines.len() == MAX_MESSAGES as usize {
                    return Err(de::Error::custom(too_many()));
                }
                lines.push(line);
            }
            Ok(lines)
        }
    }

    deserializer.deserialize_seq(Few)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use model::Actor;

    use super::*;

    fn message(name: &str, text: &str, description: &str) -> MessageText {
        let MessageName { key, language } = name.parse().unwrap();
        let (text, description) = (text.to_owned(), description.to_owned());
        let changed_at = Timestamp::UNIX_EPOCH;
        MessageText { key, language, text, description, version: 7, changed_at, changed_by: Actor::operator() }
    }

    fn wrong(format: MessageFormat, file: impl AsRef<[u8]>) -> String {
        format.read(file.as_ref()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read_byte_for_byte() {
        let awkward = [
            " ",
            "\n",
            "\r",
            "\r\n a \r\n",
            "\"",
            "\"\"",
            "a\"b",
            ",",
            ",,\"\n",
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t",
            "'",
            ";",
            "\\n",
            "null",
            "नमस्ते 🙏🏽",
            "\u{feff}",
            "\u{202e}",
            "\u{1}",
            "{\"a\": [1]}",
        ];
        let messages: Vec<MessageText> = awkward
            .iter()
            .enumerate()
            .map(|(at, text)| message(&format!("k{at}{}", if at % 2 == 0 { "" } else { "/hi" }), text, text))
            .chain([message("last/pt-BR", "x", "")])
            .collect();
        for format in [MessageFormat::Json, MessageFormat::Csv] {
            let read = format.read(&format.write(messages.clone()).unwrap()).unwrap();
            assert_eq!(read.len(), messages.len());
            for (read, written) in read.into_iter().zip(&messages) {
                assert_eq!(
                    (read.name, read.text, read.description),
                    (written.name(), written.text.clone(), Some(written.description.clone()))
                );
            }
            assert_eq!(format.read(&format.write(Vec::new()).unwrap()).unwrap(), []);
        }
    }

    #[test]
    fn a_spreadsheet_may_leave_its_mark_empty_lines_and_another_order() {
        let file = "\u{feff}text,key\r\n\"a, \"\"b\"\"\r\nc\",one\r\n,\r\n\r\nd,two\r\n";
        let read = MessageFormat::Csv.read(file.as_bytes()).unwrap();
        let told: Vec<_> =
            read.iter().map(|one| (one.name.to_string(), one.text.as_str(), one.description.as_deref())).collect();
        assert_eq!(told, [("one".to_owned(), "a, \"b\"\r\nc", None), ("two".to_owned(), "d", None)]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_line() {
        use MessageFormat::{Csv, Json};
        for (file, why) in [
            ("", "line 1: the column `key` is missing"),
            ("key\na\n", "line 1: the column `text` is missing"),
            (
                "key;text\na;b\n",
                "line 1: `key;text` is no column; the columns are key, language, text, description, separated by commas",
            ),
            ("key,text,key\n", "line 1: the column `key` comes twice"),
            ("key,text\na,b\nc\n", "line 3: it has 1 cells, and the header has 2"),
            ("key,text\n\"a\",\"b\nb\"\nc d,e\n", "line 4: `c d` is no key"),
            ("key,text,language\na,b,hindi_x\n", "line 2: `hindi_x` is no language"),
            ("key,text\na,\n", "line 2: the text of the message a is empty"),
            ("key,text,language\na,b,HI\nb,b,hi\na,c,hi\n", "line 4: the message a/hi is in line 2 already"),
        ] {
            let told = wrong(Csv, file);
            assert!(told.contains(why), "{file:?}: {told}");
        }
        for (file, why) in [
            ("", "line 1 column 0"),
            ("{\"messages\":[\n{\"key\":\"a\",\"text\":\"b\"},\n{\"key\":\"a b\",\"text\":\"c\"}]}", "`a b` is no key"),
            ("{\"messages\":[\n{\"key\":\"a\",\"text\":\"b\",\"x\":1}]}", "unknown field `x`"),
            ("{\"messages\":[{\"key\":\"a\",\"text\":\"\"}]}", "message 1: the text of the message a is empty"),
            (
                "{\"messages\":[{\"key\":\"a\",\"text\":\"b\"},{\"key\":\"a\",\"text\":\"b\"}]}",
                "message 2: the message a is in message 1",
            ),
            ("{\"messages\":[{\"key\":\"a\",\"text\":\"b\\u0000\"}]}", "U+0000"),
        ] {
            let told = wrong(Json, file);
            assert!(told.contains(why), "{file:?}: {told}");
        }
        assert!(wrong(Json, "{\"messages\":[\n{\"key\":\"a b\",\"text\":\"c\"}]}").contains("line 2"));
        assert!(wrong(Csv, b"key,text\na,\xff\n").contains("byte 12 is no UTF-8"));
        let many = |line: &str, separator: &str| vec![line; MAX_MESSAGES as usize + 1].join(separator);
        let lines = format!("{{\"messages\":[{}]}}", many("{\"key\":\"a\",\"text\":\"b\"}", ","));
        for told in [wrong(Json, lines), wrong(Csv, format!("key,text\n{}", many("a,b", "\n")))] {
            assert!(told.contains("more than 10000 messages"), "{told}");
        }
    }
}
