//! A TOML document read key by key: every problem is collected, with its file and line, and no key goes unnoticed.
//!
//! It knows TOML and the environment, but none of our keys.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Environment;
use super::problem::{Problem, suggestion, variable_of};
use super::value::{Found, Raw};

/// The text being read, and all that was found wrong with it so far.
pub(super) struct Document<'a> {
    file: PathBuf,
    text: &'a str,
    environment: &'a Environment,
    problems: RefCell<Vec<Problem>>,
    known: RefCell<Vec<String>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(file: &Path, text: &'a str, environment: &'a Environment) -> Self {
        Self { file: file.to_owned(), text, environment, problems: RefCell::default(), known: RefCell::default() }
    }

    /// The document's top level; `None` where it is not TOML, which is then among the problems.
    pub(super) fn parse(&self) -> Option<Spanned<DeTable<'a>>> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let line = self.line(error.span().map_or(0, |span| span.start));
            // Only the message: the error's own display quotes the line, and that may hold a secret.
            self.report(line, "", format!("this is not TOML: {}", error.message()));
        }
        errors.is_empty().then_some(root)
    }

    pub(super) fn root<'d>(&'d self, table: &'d DeTable<'a>) -> Section<'d> {
        Section {
            document: self,
            path: String::new(),
            line: 1,
            table: Some(table),
            process_level: false,
            known: Vec::new(),
        }
    }

    /// The directory that relative paths in the file start from.
    pub(super) fn directory(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    pub(super) const fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// Everything that is wrong: with the environment, then with the file, line by line.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    /// The whole paths of all keys that anybody asked for.
    #[cfg(test)]
    pub(super) fn known_keys(&self) -> Vec<String> {
        self.known.borrow().clone()
    }

    /// Rejects variables that read like ours and are not: a misspelt one would go unnoticed otherwise.
    pub(super) fn reject_unknown_variables(&self, sections: &[&str]) {
        let known: Vec<String> = self.known.borrow().iter().map(|key| variable_of(key)).collect();
        for name in self.environment.names() {
            let ours = sections.iter().any(|section| {
                name.strip_prefix(&variable_of(section)).is_some_and(|rest| rest.starts_with('_') && rest.len() > 1)
            });
            if ours && !known.iter().any(|key| key == name) {
                let advice = suggestion(name, known.iter().map(String::as_str));
                self.problems.borrow_mut().push(Problem {
                    place: format!("environment variable {name}"),
                    line: 0,
                    key: String::new(),
                    text: format!("means nothing to codenode{advice}"),
                });
            }
        }
    }

    fn report(&self, line: usize, key: &str, text: String) {
        let place = format!("{}:{line}", self.file.display());
        self.problems.borrow_mut().push(Problem { place, line, key: key.to_owned(), text });
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }
}

/// One table of the document, read by asking for each of its keys and then calling [`Section::finish`].
pub(super) struct Section<'d> {
    document: &'d Document<'d>,
    path: String,
    line: usize,
    table: Option<&'d DeTable<'d>>,
    process_level: bool,
    known: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// The table under `key`; an empty one where it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'d> {
        self.known.push(key);
        let found = self.entry(key);
        self.enter(key, found)
    }

    /// The same, for a table whose keys the environment may set.
    pub(super) fn process_section(&mut self, key: &'static str) -> Section<'d> {
        Section { process_level: true, ..self.section(key) }
    }

    /// Every table in this one, whatever its name; for the tables that the owner names.
    pub(super) fn named_sections(&self) -> Vec<(&'d str, Section<'d>)> {
        let entries = self.table.into_iter().flat_map(|table| table.iter());
        entries.map(|(name, value)| (name.get_ref().as_ref(), self.enter(name.get_ref(), Some(value)))).collect()
    }

    /// Every value in this table, whatever its name; for those that the owner names.
    pub(super) fn named_values(&self) -> Vec<(&'d str, Found<'d>)> {
        let entries = self.table.into_iter().flat_map(|table| table.iter());
        entries.map(|(name, value)| (name.get_ref().as_ref(), self.in_file(name.get_ref(), value))).collect()
    }

    /// Whether the file has `key`, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Whether the file says `key = true`.
    pub(super) fn says(&self, key: &str) -> bool {
        self.entry(key).is_some_and(|value| value.get_ref().as_bool() == Some(true))
    }

    pub(super) const fn document(&self) -> &'d Document<'d> {
        self.document
    }

    pub(super) fn duration(&mut self, key: &'static str, default: Duration) -> Duration {
        self.optional_duration(key).unwrap_or(default)
    }

    pub(super) fn optional_duration(&mut self, key: &'static str) -> Option<Duration> {
        self.read(key, "a time such as \"10s\" or \"500ms\"", |raw| match raw {
            Raw::Text(text) | Raw::Variable(text) => humantime::parse_duration(text).ok(),
            Raw::Integer(_) | Raw::Fraction(_) | Raw::Boolean(_) | Raw::Other(_) => None,
        })
    }

    pub(super) fn size(&mut self, key: &'static str, default: u64) -> u64 {
        self.optional_size(key).map_or(default, |size| size.as_u64())
    }

    pub(super) fn optional_size(&mut self, key: &'static str) -> Option<ByteSize> {
        self.read(key, "a size such as \"64 MiB\"", |raw| match raw {
            Raw::Text(text) | Raw::Variable(text) => text.parse().ok(),
            Raw::Integer(number) => u64::try_from(*number).ok().map(ByteSize),
            Raw::Fraction(_) | Raw::Boolean(_) | Raw::Other(_) => None,
        })
    }

    pub(super) fn count<N: TryFrom<i64> + FromStr>(&mut self, key: &'static str, default: N) -> N {
        self.optional_count(key).unwrap_or(default)
    }

    pub(super) fn optional_count<N: TryFrom<i64> + FromStr>(&mut self, key: &'static str) -> Option<N> {
        self.read(key, "a whole number, not below zero", |raw| match raw {
            Raw::Integer(number) => N::try_from(*number).ok(),
            Raw::Variable(text) => text.parse().ok(),
            Raw::Text(_) | Raw::Fraction(_) | Raw::Boolean(_) | Raw::Other(_) => None,
        })
    }

    pub(super) fn duration_in(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        self.optional_duration_in(key, range).unwrap_or(default)
    }

    pub(super) fn optional_duration_in(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let time = self.optional_duration(key)?;
        self.check_range(key, &time, &range, |time| humantime::format_duration(*time).to_string());
        Some(time)
    }

    pub(super) fn size_in(&mut self, key: &'static str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let bytes = self.size(key, default);
        self.check_range(key, &bytes, &range, |bytes| ByteSize(*bytes).to_string());
        bytes
    }

    pub(super) fn count_in(&mut self, key: &'static str, range: RangeInclusive<u32>, default: u32) -> u32 {
        let count = self.count(key, default);
        self.check_range(key, &count, &range, u32::to_string);
        count
    }

    /// From 0 to 1.
    pub(super) fn ratio(&mut self, key: &'static str, default: f64) -> f64 {
        let ratio = self.read(key, "a number from 0 to 1, such as 0.1", |raw| {
            let ratio = match raw {
                Raw::Fraction(ratio) => *ratio,
                Raw::Integer(number) => f64::from(i32::try_from(*number).ok()?),
                Raw::Variable(text) => text.parse().ok()?,
                Raw::Text(_) | Raw::Boolean(_) | Raw::Other(_) => return None,
            };
            (0.0..=1.0).contains(&ratio).then_some(ratio)
        });
        ratio.unwrap_or(default)
    }

    fn check_range<V: PartialOrd>(&self, key: &str, value: &V, range: &RangeInclusive<V>, shown: fn(&V) -> String) {
        if !range.contains(value) {
            let (value, least, most) = (shown(value), shown(range.start()), shown(range.end()));
            self.wrong_key(key, format!("is {value}: it must be from {least} to {most}"));
        }
    }

    pub(super) fn flag(&mut self, key: &'static str) -> bool {
        let flag = self.read(key, "true or false", |raw| match raw {
            Raw::Boolean(flag) => Some(*flag),
            Raw::Variable(text) => text.parse().ok(),
            Raw::Text(_) | Raw::Integer(_) | Raw::Fraction(_) | Raw::Other(_) => None,
        });
        flag.unwrap_or(false)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.read(key, "a text in quotes", |raw| raw.text().map(str::to_owned))
    }

    /// A text with a form of its own; `expected` says which.
    pub(super) fn parsed<T: FromStr>(&mut self, key: &'static str, expected: &str) -> Option<T> {
        self.read(key, expected, |raw| raw.text().and_then(|text| text.parse().ok()))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)], default: T) -> T {
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let choice = self.read(key, &names.join(" or "), |raw| {
            let text = raw.text()?;
            choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice)
        });
        choice.unwrap_or(default)
    }

    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let found = self.found(key)?;
        match found.raw.text().filter(|text| !text.is_empty()) {
            Some(text) => Some(found.base.join(text)),
            None => {
                self.wrong(&found, "must be a path in quotes, and not empty");
                None
            }
        }
    }

    /// A list of texts, each with its own place; `None` where the key is absent.
    pub(super) fn list(&mut self, key: &'static str) -> Option<Vec<Found<'d>>> {
        self.known.push(key);
        let value = self.entry(key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_at(value, key, "must be a list in brackets");
            return None;
        };
        Some(items.iter().map(|item| self.in_file(key, item)).collect())
    }

    /// A list of texts with a form of their own; `wrong` says of one that has another what is wrong with it.
    pub(super) fn parsed_list<T: FromStr>(&mut self, key: &'static str, wrong: impl Fn(T::Err) -> String) -> Vec<T> {
        let mut values = Vec::new();
        for found in self.list(key).unwrap_or_default() {
            match found.text().map(str::parse) {
                Some(Ok(value)) => values.push(value),
                Some(Err(error)) => self.wrong(&found, wrong(error)),
                None => self.wrong(&found, "must be a text in quotes"),
            }
        }
        values
    }

    /// A value that may be secret: nothing here quotes it.
    pub(super) fn found(&mut self, key: &'static str) -> Option<Found<'d>> {
        self.known.push(key);
        let path = self.key_path(key);
        self.document.known.borrow_mut().push(path.clone());
        if self.process_level {
            let name = variable_of(&path);
            if let Some(text) = self.document.environment.get(&name) {
                let place = format!("environment variable {name}");
                return Some(Found { raw: Raw::Variable(text), place, line: 0, key: path, base: PathBuf::new() });
            }
        }
        self.entry(key).map(|value| self.in_file(key, value))
    }

    /// Says that `found` is wrong, and what to do.
    pub(super) fn wrong(&self, found: &Found<'_>, text: impl Into<String>) {
        let problem =
            Problem { place: found.place.clone(), line: found.line, key: found.key.clone(), text: text.into() };
        self.document.problems.borrow_mut().push(problem);
    }

    /// Says that this table as a whole is wrong, and what to do.
    pub(super) fn wrong_here(&self, text: impl Into<String>) {
        self.document.report(self.line, &self.path, text.into());
    }

    /// Says what is wrong with `key`, at its line where it is there and at the table's otherwise.
    pub(super) fn wrong_key(&self, key: &str, text: impl Into<String>) {
        let line = self.entry(key).map_or(self.line, |value| self.document.line(value.span().start));
        self.document.report(line, &self.key_path(key), text.into());
    }

    /// Rejects every key that nobody asked for, with the nearest one that somebody did.
    pub(super) fn finish(self) {
        for (name, value) in self.table.into_iter().flat_map(|table| table.iter()) {
            let name_text = name.get_ref().as_ref();
            if !self.known.contains(&name_text) {
                let line = self.document.line(name.span().start.min(value.span().start));
                let advice = suggestion(name_text, self.known.iter().copied());
                self.document.report(line, &self.key_path(name_text), format!("is unknown{advice}"));
            }
        }
    }

    fn enter(&self, key: &str, found: Option<&'d Spanned<DeValue<'d>>>) -> Section<'d> {
        let table = found.and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.wrong_at(value, key, "must be a table");
            }
            table
        });
        let line = found.map_or(self.line, |value| self.document.line(value.span().start));
        let process_level = self.process_level;
        Section { document: self.document, path: self.key_path(key), line, table, process_level, known: Vec::new() }
    }

    fn read<T>(&mut self, key: &'static str, expected: &str, parse: impl Fn(&Raw<'d>) -> Option<T>) -> Option<T> {
        let found = self.found(key)?;
        let value = parse(&found.raw);
        if value.is_none() {
            self.wrong(&found, format!("is {}: it must be {expected}", found.raw));
        }
        value
    }

    fn entry(&self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.table.and_then(|table| table.get(key))
    }

    fn in_file(&self, key: &str, value: &'d Spanned<DeValue<'d>>) -> Found<'d> {
        let raw = match value.get_ref() {
            DeValue::String(text) => Raw::Text(text),
            DeValue::Boolean(flag) => Raw::Boolean(*flag),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Raw::Other("a number out of range"), Raw::Integer),
            DeValue::Float(number) => number.as_str().parse().map_or(Raw::Other("a number"), Raw::Fraction),
            DeValue::Datetime(_) => Raw::Other("a date"),
            DeValue::Array(_) => Raw::Other("a list"),
            DeValue::Table(_) => Raw::Other("a table"),
        };
        let line = self.document.line(value.span().start);
        let place = format!("{}:{line}", self.document.file.display());
        Found { raw, place, line, key: self.key_path(key), base: self.document.directory().to_owned() }
    }

    fn wrong_at(&self, value: &Spanned<DeValue<'_>>, key: &str, text: &str) {
        self.document.report(self.document.line(value.span().start), &self.key_path(key), text.to_owned());
    }

    fn key_path(&self, key: &str) -> String {
        // A key is the owner's text: one with a line break in it must not forge a line of the message.
        let key = key.escape_debug();
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }
}
