use serde_json::Value;

use crate::element::Element;

/// One message of a reply, as a chat would show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Plain text.
    Text(String),
    /// A rich element: its type, its text or title, and what the user can choose from.
    Element {
        /// `BUTTON`, `CAROUSEL` …
        kind: String,
        /// The text shown above the choices.
        text: String,
        /// The captions of buttons, quick replies, cards and fields, in order.
        choices: Vec<String>,
    },
}

impl Message {
    /// Reads one string of a normalised `response`: an element where it holds one, else plain text.
    pub(crate) fn read(item: String) -> Self {
        if !item.starts_with('{') {
            return Self::Text(item);
        }
        match Element::parse(&item) {
            Ok(element) => Self::Element {
                kind: element.kind.into_owned(),
                text: element.text.or(element.title).unwrap_or_default().into_owned(),
                choices: element.data.map(|data| captions(data.get())).unwrap_or_default(),
            },
            Err(_) => Self::Text(item),
        }
    }
}

/// The captions in an element's data, found by the keys that the message elements give them.
fn captions(data: &str) -> Vec<String> {
    let Ok(data) = serde_json::from_str::<Value>(data) else { return Vec::new() };
    let lists = ["quick_replies", "items", "fields"].iter().filter_map(|key| data.get(key)?.as_array());
    lists.flatten().flat_map(caption_of_item).collect()
}

fn caption_of_item(item: &Value) -> Vec<String> {
    let caption = |value: &Value| {
        let keys = ["actionable_text", "title", "hint", "key"];
        keys.iter().find_map(|key| value.get(key)?.as_str()).map(str::to_owned)
    };
    let actions = item.get("actionables").and_then(Value::as_array).into_iter().flatten();
    caption(item).into_iter().chain(actions.filter_map(|action| Some(format!("  {}", caption(action)?)))).collect()
}
