use crate::cursor::Cursor;
use crate::{Date, Entity, Error, Range, Time};

/// What the platform detected: a list of values under each name, in the order in which they came.
///
/// A name is absent when nothing was detected, and its list may hold several values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entities(Vec<(String, Vec<Entity>)>);

impl Entities {
    /// All values of this name; empty where there are none.
    pub fn get(&self, name: &str) -> &[Entity] {
        self.0.iter().rev().find(|(known, _)| known == name).map_or(&[], |(_, values)| values)
    }

    /// The first value of this name.
    pub fn first(&self, name: &str) -> Option<&Entity> {
        self.get(name).first()
    }

    /// The first value's [`Entity::text`].
    pub fn text(&self, name: &str) -> Option<&str> {
        self.first(name)?.text()
    }

    /// The first value's [`Entity::integer`].
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.first(name)?.integer()
    }

    /// The first value's [`Entity::number`].
    pub fn number(&self, name: &str) -> Option<f64> {
        self.first(name)?.number()
    }

    /// The first value's [`Entity::date`].
    pub fn date(&self, name: &str) -> Option<Date> {
        self.first(name)?.date()
    }

    /// The first value's [`Entity::time`].
    pub fn time(&self, name: &str) -> Option<Time> {
        self.first(name)?.time()
    }

    /// The first value's [`Entity::range`].
    pub fn range(&self, name: &str) -> Option<Range<'_>> {
        self.first(name)?.range()
    }

    /// All names with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Entity])> {
        self.0.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was detected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        cursor.object(|name, cursor| {
            // One value is by far the commonest; growing from none would first make room for four.
            let mut values = Vec::with_capacity(1);
            cursor.list(|cursor| {
                let mut entity = Entity::default();
                entity.read(cursor)?;
                values.push(entity);
                Ok(())
            })?;
            self.0.push((name.into_owned(), values));
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Detection, Event};

    fn read(json: &str) -> Entities {
        Event::parse(&format!("{{\"entities\":{json}}}")).unwrap().entities
    }

    #[test]
    fn both_shapes_of_a_value_read_alike() {
        let entities = read(
            r#"{"plain":[{"detection":"message","original_text":"71","entity_value":"71"}],
                "wrapped":[{"detection":"new way","original_text":"71","entity_value":{"value":"71","unit":"quantity"},"language":"en"}]}"#,
        );
        assert_eq!((entities.text("plain"), entities.text("wrapped")), (Some("71"), Some("71")));
        assert_eq!((entities.integer("plain"), entities.number("wrapped")), (Some(71), Some(71.0)));
        let wrapped = entities.first("wrapped").unwrap();
        assert_eq!(wrapped.detection, Detection::Other("new way".into()));
        assert_eq!((wrapped.unit(), wrapped.extra.text("language")), (Some("quantity"), Some("en")));
    }

    #[test]
    fn typed_values_are_read_from_their_objects() {
        let entities = read(
            r#"{"time":[{"entity_value":{"hh":3,"mm":0,"nn":"pm"}}],
                "date":[{"entity_value":{"value":{"dd":23,"mm":12,"yy":2019,"type":"date"},"normal":true}}],
                "budget":[{"entity_value":{"min_value":null,"max_value":"500000","unit":"rupees"}}]}"#,
        );
        assert_eq!(entities.time("time"), Time::new(15, 0));
        assert_eq!(entities.date("date"), Date::new(2019, 12, 23));
        assert_eq!(entities.range("budget"), Some(Range { min: None, max: Some(500_000.0), unit: Some("rupees") }));
        assert_eq!(entities.text("budget"), None);
    }

    #[test]
    fn odd_lists_are_read_as_far_as_they_go() {
        let entities = read(
            r#"{"none":[],"null":null,"lone":{"entity_value":"x"},"many":[{"entity_value":"a"},{"entity_value":"b"}]}"#,
        );
        assert_eq!((entities.first("none"), entities.first("null"), entities.first("absent")), (None, None, None));
        assert_eq!(entities.text("lone"), Some("x"));
        assert_eq!(entities.get("many").iter().map(|entity| entity.text().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(entities.iter().map(|(name, values)| (name, values.len())).last(), Some(("many", 2)));
    }
}
