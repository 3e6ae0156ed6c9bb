use std::borrow::Cow;

use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use crate::cursor::Cursor;
use crate::late::Late;
use crate::{Error, value};

/// Named JSON values in the order in which they came. A name that stands twice has its last value.
///
/// A value of an event is read when it is first asked for. One that [`Value`] cannot hold, such as `1e999`, is a string of its JSON text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<(String, Late)>);

impl Fields {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        cursor.object(|name, cursor| {
            self.keep(name, cursor);
            Ok(())
        })
    }

    /// Keeps the value at the cursor. Looking for an earlier one of the same name would make a large object slow; `get` takes the last.
    pub(crate) fn keep(&mut self, name: Cow<'_, str>, cursor: &mut Cursor<'_>) {
        self.0.push((name.into_owned(), cursor.span().into()));
    }

    /// The value under this name, as it is.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// The value under this name where it is a string, or an object with a string under `value`.
    pub fn text(&self, name: &str) -> Option<&str> {
        value::text(self.get(name)?)
    }

    /// The value under this name where it is a whole number, or a string that spells one.
    pub fn integer(&self, name: &str) -> Option<i64> {
        value::integer(self.get(name)?)
    }

    /// The value under this name where it is a number, or a string that spells one.
    pub fn number(&self, name: &str) -> Option<f64> {
        value::number(self.get(name)?)
    }

    /// Puts a value under a name, in the place of the one that was there.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value.into(),
            None => self.0.push((name, value.into())),
        }
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.get()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use crate::Event;

    #[test]
    fn the_order_is_kept_and_the_last_of_two_counts() {
        let event = Event::parse(r#"{"user_details":{"b":"1","a":{"value":"x"},"b":2.0,"phone":8826755986}}"#);
        let mut fields = event.unwrap().user_details;
        assert_eq!(fields.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["b", "a", "b", "phone"]);
        assert_eq!(fields.integer("b"), Some(2));
        assert_eq!(fields.text("a"), Some("x"));
        assert_eq!(fields.text("phone"), None);
        assert_eq!(fields.integer("phone"), Some(8_826_755_986));
        assert_eq!(fields.get("missing"), None);
        fields.set("a", "y");
        fields.set("c", 1);
        assert_eq!(fields.text("a"), Some("y"));
        assert_eq!(fields.len(), 5);
    }
}
