use serde_json::Value;

use crate::cursor::Cursor;
use crate::value::{self, Date, Range, Time};
use crate::{Error, Fields};

/// One detected value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entity {
    /// How the platform came to the value.
    pub detection: Detection,
    /// What the user wrote; empty where nothing was written.
    pub original_text: String,
    /// `entity_value`: a string, or an object whose shape hangs on the entity's type. The methods read the shapes that are known.
    pub value: Value,
    /// Every other key, such as `language`.
    pub extra: Fields,
}

impl Entity {
    /// A plain string, or the string in `{"value": "…"}`.
    pub fn text(&self) -> Option<&str> {
        value::text(&self.value)
    }

    /// A whole number, or a string that spells one, bare or in `{"value": …}`.
    pub fn integer(&self) -> Option<i64> {
        value::integer(&self.value)
    }

    /// A finite number, or a string that spells one, bare or in `{"value": …}`.
    pub fn number(&self) -> Option<f64> {
        value::number(&self.value)
    }

    /// The `unit` beside a value or a range: `rupees`, `quantity` …
    pub fn unit(&self) -> Option<&str> {
        self.value.get("unit")?.as_str()
    }

    /// The day in `{"value": {"dd": 23, "mm": 12, "yy": 2019, "type": "date"}}`, wrapped or not; none where the calendar has no such day.
    pub fn date(&self) -> Option<Date> {
        Date::read(&self.value)
    }

    /// The time of day in `{"hh": 3, "mm": 0, "nn": "pm"}`, wrapped or not.
    pub fn time(&self) -> Option<Time> {
        Time::read(&self.value)
    }

    /// The range in `{"min_value": "200000", "max_value": null, "unit": "rupees"}`, wrapped or not.
    pub fn range(&self) -> Option<Range<'_>> {
        Range::read(&self.value)
    }

    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        cursor.object(|key, cursor| {
            match key.as_ref() {
                "detection" => self.detection = cursor.text()?.unwrap_or_default().into(),
                "original_text" => self.original_text = cursor.text()?.unwrap_or_default().into_owned(),
                "entity_value" => self.value = cursor.value()?,
                _ => self.extra.keep(key, cursor),
            }
            Ok(())
        })
    }
}

open_enum! {
    /// How a value was detected.
    pub enum Detection {
        /// In what the user wrote.
        Message = "message",
        /// In a structured reply, and it fits the entity.
        StructureValueVerified = "structure_value_verified",
        /// In a structured reply, unchecked.
        StructureValueNotVerified = "structure_value_not_verified",
        /// The entity's fallback.
        FallbackValue = "fallback_value",
        /// By a model, and it fits the entity.
        ModelVerified = "model_verified",
        /// By a model, unchecked.
        ModelNotVerified = "model_not_verified",
        /// From what is known of the user.
        UserProfile = "user_profile",
        /// The entity's default.
        Default = "default",
    }
}
