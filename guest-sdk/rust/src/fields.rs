use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use crate::object::{self, Object};
use crate::value;

/// Named JSON values in the order in which they came. A name that stands twice has its last value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<(String, Value)>);

impl Fields {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value under this name, as it is.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
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
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
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

impl Object for Fields {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        // Looking for an earlier entry of the same name would make a large object slow; `get` takes the last.
        self.0.push((key.into_owned(), map.next_value()?));
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object::deserialize(deserializer)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_and_the_last_of_two_counts() {
        let mut fields: Fields =
            serde_json::from_str(r#"{"b":"1","a":{"value":"x"},"b":2.0,"phone":8826755986}"#).unwrap();
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
