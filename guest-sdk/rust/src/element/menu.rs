use serde::Serialize;

use super::{Action, Envelope};
use crate::Message;

/// `TEXT`: a text with quick replies below it, which go away once one is pressed.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    text: String,
    quick_replies: Vec<Action>,
}

impl Text {
    /// The text, without a quick reply yet.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), quick_replies: Vec::new() }
    }

    /// One more quick reply.
    pub fn quick_reply(mut self, action: Action) -> Self {
        self.quick_replies.push(action);
        self
    }
}

impl From<Text> for Message {
    fn from(element: Text) -> Self {
        let data = QuickReplies { quick_replies: &element.quick_replies };
        Self::from_element(&Envelope::with_text(&element.text, "TEXT", data))
    }
}

/// `BUTTON`: a text with buttons, which stay.
#[derive(Clone, Debug, PartialEq)]
pub struct Button {
    text: String,
    items: Vec<Action>,
}

impl Button {
    /// The text, without a button yet.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), items: Vec::new() }
    }

    /// One more button.
    pub fn item(mut self, action: Action) -> Self {
        self.items.push(action);
        self
    }
}

impl From<Button> for Message {
    fn from(element: Button) -> Self {
        Self::from_element(&Envelope::with_text(&element.text, "BUTTON", Items { items: &element.items }))
    }
}

#[derive(Serialize)]
struct QuickReplies<'a> {
    quick_replies: &'a [Action],
}

#[derive(Serialize)]
struct Items<'a> {
    items: &'a [Action],
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::element::{ActionKind, Uri};

    #[test]
    fn quick_replies_and_buttons_have_the_platforms_keys() {
        let text =
            Message::from(Text::new("Sure?").quick_reply(Action::say("Yes").sends("cancel order 71").emoji("👍")));
        assert_eq!(
            text.as_element().unwrap(),
            json!({"text": "Sure?", "type": "TEXT", "data": {"quick_replies": [{
                "actionable_text": "Yes", "location_required": false, "is_default": 0, "uri": "", "type": "TEXT_ONLY",
                "payload": {"message": "Yes", "gogo_message": "cancel order 71"}, "emoji": "👍",
            }]}})
        );
        let call = Action::new("Call us", ActionKind::AppAction, Uri::Call)
            .payload("contact_number", "100")
            .with_location()
            .preselected();
        let button = Message::from(Button::new("Help").item(call).item(Action::link("Shop", "https://example.com")));
        assert_eq!(
            button.as_element().unwrap(),
            json!({"text": "Help", "type": "BUTTON", "data": {"items": [
                {"actionable_text": "Call us", "location_required": true, "is_default": 1, "uri": "CALL", "type": "APP_ACTION",
                 "payload": {"contact_number": "100"}},
                {"actionable_text": "Shop", "location_required": false, "is_default": 0, "uri": "LINK", "type": "APP_ACTION",
                 "payload": {"url": "https://example.com"}},
            ]}})
        );
    }

    #[test]
    fn an_empty_list_is_still_there() {
        assert_eq!(Message::from(Text::new("Hi")).as_element().unwrap()["data"], json!({"quick_replies": []}));
    }
}
