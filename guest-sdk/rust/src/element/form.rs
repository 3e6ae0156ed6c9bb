use serde::Serialize;
use serde_json::Value;

use super::Envelope;
use crate::Message;

/// `FORM`: several things asked for at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    title: String,
    subtitle: Option<String>,
    fields: Vec<Field>,
}

impl Form {
    /// A form with a title, without a field yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), subtitle: None, fields: Vec::new() }
    }

    /// The line below the title.
    pub fn subtitle(mut self, text: impl Into<String>) -> Self {
        self.subtitle = Some(text.into());
        self
    }

    /// One more field, below the others.
    pub fn field(mut self, field: Field) -> Self {
        let order = self.fields.len() + 1;
        self.fields.push(Field { order, ..field });
        self
    }
}

impl From<Form> for Message {
    fn from(element: Form) -> Self {
        Self::from_element(&Envelope {
            text: None,
            title: Some(&element.title),
            subtitle: element.subtitle.as_deref(),
            kind: "FORM",
            data: Fields { fields: &element.fields },
        })
    }
}

#[derive(Serialize)]
struct Fields<'a> {
    fields: &'a [Field],
}

/// One field of a [`Form`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    key: String,
    #[serde(rename = "type")]
    kind: FieldKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyboard_type: Option<String>,
    /// From 1, in the order in which the form got them.
    order: usize,
    hint: String,
    options: Vec<Value>,
}

impl Field {
    /// A field, and the key under which its answer comes back.
    pub fn new(key: impl Into<String>, kind: FieldKind) -> Self {
        Self { key: key.into(), kind, keyboard_type: None, order: 0, hint: String::new(), options: Vec::new() }
    }

    /// What the empty field shows.
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = text.into();
        self
    }

    /// The keyboard that a phone brings up, by the platform's name for it.
    pub fn keyboard(mut self, name: impl Into<String>) -> Self {
        self.keyboard_type = Some(name.into());
        self
    }

    /// One more thing to choose from.
    pub fn option(mut self, option: impl Into<Value>) -> Self {
        self.options.push(option.into());
        self
    }
}

open_enum! {
    /// What a [`Field`] of a form asks for.
    pub enum FieldKind {
        /// A line of text.
        Text = "text",
        /// One of the options.
        Picker = "picker",
        /// A time of day.
        Time = "time",
        /// A day.
        Date = "date",
        /// The first day of a span.
        StartDate = "startdate",
        /// The last day of a span.
        EndDate = "enddate",
        /// One of many options, found by typing.
        Search = "search",
        /// A date of birth.
        Dob = "dob",
        /// Any of the options.
        MultiSelectPicker = "multiselectpicker",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_has_a_title_and_ordered_fields() {
        let form = Form::new("Your visit")
            .subtitle("Takes a minute")
            .field(Field::new("name", FieldKind::Text).hint("Your name").keyboard("default"))
            .field(Field::new("size", FieldKind::Other("slider".into())).option("S").option("M"));
        assert_eq!(
            Message::from(form).as_element().unwrap(),
            json!({"title": "Your visit", "subtitle": "Takes a minute", "type": "FORM", "data": {"fields": [
                {"key": "name", "type": "text", "keyboard_type": "default", "order": 1, "hint": "Your name", "options": []},
                {"key": "size", "type": "slider", "order": 2, "hint": "", "options": ["S", "M"]},
            ]}})
        );
    }
}
