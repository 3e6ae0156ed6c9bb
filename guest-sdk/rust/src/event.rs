use std::borrow::Cow;
use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::cursor::Cursor;
use crate::{Entities, Error, Fields};

/// What the bot platform sent: which node is asked, by whom, and what was detected.
///
/// The form of 2018 has only `node`, `event`, three fields of `user`, and `entities`. So nothing is required: absent text is empty, an absent
/// list has no entries, and keys that have no field here are in `extra`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// The node's system name, such as `ORDER_STATUS`. Since 2023 the platform calls it `step`; where both are there it is `node`, unless that is null.
    pub node: String,
    /// Why the node is asked.
    pub event: EventKind,
    /// Who is chatting. The platform's Run panel calls it `user_data`; likewise.
    pub user: User,
    /// How many conversations this one makes for the user.
    pub conversation_no: Option<i64>,
    /// What earlier nodes kept for this conversation: the platform, or codenode with the grant `state:conversation`.
    pub conversation_details: Fields,
    /// What is kept for this user: by the platform, or by codenode with the grant `state:user`.
    pub user_details: Fields,
    /// What was detected.
    pub entities: Entities,
    /// The bot's settings.
    pub env_variables: Fields,
    /// Every other key of the event.
    pub extra: Fields,
}

impl Event {
    /// Reads an event's JSON text.
    ///
    /// # Errors
    /// The text is not JSON, or a part that must be an object is something else.
    pub fn parse(json: &str) -> Result<Self, Error> {
        serde_json::from_str::<IgnoredAny>(json)
            .map_err(|error| Error::new(format_args!("the event is not JSON: {error}")))?;
        Self::read(json.to_owned())
    }

    /// Reads JSON whose syntax has been checked.
    pub(crate) fn read(json: String) -> Result<Self, Error> {
        let source = Arc::new(json);
        let (mut event, mut had) = (Self::default(), Had::default());
        Cursor::new(&source).object(|key, cursor| event.read_entry(key, cursor, &mut had))?;
        Ok(event)
    }

    fn read_entry(&mut self, key: Cow<'_, str>, cursor: &mut Cursor<'_>, had: &mut Had) -> Result<(), Error> {
        match key.as_ref() {
            "node" | "user" | "step" | "user_data" if cursor.is_null() => cursor.skip(),
            "node" => {
                self.node = cursor.text()?.unwrap_or_default().into_owned();
                had.node = true;
            }
            "user" => {
                self.user = User::default();
                self.user.read(cursor)?;
                had.user = true;
            }
            "step" if had.node => cursor.skip(),
            "step" => self.node = cursor.text()?.unwrap_or_default().into_owned(),
            "user_data" if had.user => cursor.skip(),
            "user_data" => self.user.read(cursor)?,
            "event" => self.event = cursor.text()?.unwrap_or_default().into(),
            "conversation_no" => self.conversation_no = cursor.integer(),
            "conversation_details" => self.conversation_details.read(cursor)?,
            "user_details" => self.user_details.read(cursor)?,
            "entities" => self.entities.read(cursor)?,
            "env_variables" => self.env_variables.read(cursor)?,
            _ => self.extra.keep(key, cursor),
        }
        Ok(())
    }
}

/// Which of the names have come that count before their other ones, in whatever order.
#[derive(Default)]
struct Had {
    node: bool,
    user: bool,
}

open_enum! {
    /// Why a node is asked.
    pub enum EventKind {
        /// The bot has reached the node: the only documented reason.
        ApiIntegration = "API_INTEGRATION",
    }
}

/// Who is chatting. What came after the form of 2018 is optional.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct User {
    /// The platform's name for the user.
    pub user_name: String,
    /// The user's own name; often empty.
    pub full_name: String,
    /// Where the chat takes place.
    pub device_platform: Platform,
    /// The platform's id of the user.
    pub user_id: Option<String>,
    /// The language of the chat: `en`, `hi` …
    pub language_code: Option<String>,
    /// The user's id with the bot's owner.
    pub auth_id: Option<String>,
    /// The user's token with the bot's owner.
    pub auth_code: Option<String>,
    /// Every other key.
    pub extra: Fields,
}

impl User {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        cursor.object(|key, cursor| {
            let mut text = || Ok::<_, Error>(cursor.text()?.map(Cow::into_owned));
            match key.as_ref() {
                "user_name" => self.user_name = text()?.unwrap_or_default(),
                "full_name" => self.full_name = text()?.unwrap_or_default(),
                "device_platform" => self.device_platform = cursor.integer().map(Platform::from).unwrap_or_default(),
                "user_id" => self.user_id = text()?,
                "language_code" => self.language_code = text()?,
                "auth_id" => self.auth_id = text()?,
                "auth_code" => self.auth_code = text()?,
                _ => self.extra.keep(key, cursor),
            }
            Ok(())
        })
    }
}

/// Where the chat takes place. The platform may add places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// 2
    Android,
    /// 3
    Facebook,
    /// 4
    Jio,
    /// 5
    Web,
    /// 6
    Ios,
    /// 13
    BotApi,
    /// 14
    WhatsApp,
    /// 15
    JioChatConnector,
    /// Another place, by its number; 0 where the platform gave none.
    Other(i64),
}

impl Default for Platform {
    fn default() -> Self {
        Self::Other(0)
    }
}

impl From<i64> for Platform {
    fn from(number: i64) -> Self {
        match number {
            2 => Self::Android,
            3 => Self::Facebook,
            4 => Self::Jio,
            5 => Self::Web,
            6 => Self::Ios,
            13 => Self::BotApi,
            14 => Self::WhatsApp,
            15 => Self::JioChatConnector,
            number => Self::Other(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_2018_is_an_event() {
        let event = Event::parse(
            r#"{"node":"ORDER_STATUS","event":"API_INTEGRATION","user":{"user_name":"u1","full_name":"","device_platform":5},
                "entities":{"product_id":[{"detection":"message","original_text":"71","entity_value":"71"}]}}"#,
        )
        .unwrap();
        assert_eq!((event.node.as_str(), event.event), ("ORDER_STATUS", EventKind::ApiIntegration));
        assert_eq!(
            (event.user.user_name.as_str(), event.user.device_platform, event.user.user_id),
            ("u1", Platform::Web, None)
        );
        assert_eq!((event.entities.text("product_id"), event.conversation_no), (Some("71"), None));
        assert!(event.conversation_details.is_empty() && event.env_variables.is_empty() && event.extra.is_empty());
    }

    #[test]
    fn the_form_of_2023_says_step_and_more() {
        let event = Event::parse(
            r#"{"step":"LEAD","event":"NEW_KIND","user":{"user_id":"u-9","full_name":"आशा","device_platform":99,"language_code":"hi","auth_id":"","vip":true},
                "conversation_no":3,"conversation_details":{"payment_mode":"COD"},"user_details":{"phone_number":8826755986},"entities":{},
                "env_variables":{"API":"https://example.com/lead"},"something_new":{"kept":true}}"#,
        )
        .unwrap();
        assert_eq!((event.node.as_str(), event.event.as_str(), event.conversation_no), ("LEAD", "NEW_KIND", Some(3)));
        assert_eq!((event.user.full_name.as_str(), event.user.device_platform), ("आशा", Platform::Other(99)));
        assert_eq!((event.user.user_id.as_deref(), event.user.auth_id.as_deref()), (Some("u-9"), Some("")));
        assert_eq!(event.user.extra.get("vip"), Some(&true.into()));
        assert_eq!(event.conversation_details.text("payment_mode"), Some("COD"));
        assert_eq!(event.user_details.integer("phone_number"), Some(8_826_755_986));
        assert_eq!(event.env_variables.text("API"), Some("https://example.com/lead"));
        assert_eq!(event.extra.get("something_new").unwrap()["kept"], true);
    }

    #[test]
    fn of_two_names_the_one_with_a_value_counts() {
        for (json, node, user_name) in [
            (r#"{"node":null,"step":"A","user":null,"user_data":{"user_name":"a"}}"#, "A", "a"),
            (r#"{"step":"A","user_data":{"user_name":"a"},"node":null,"user":null}"#, "A", "a"),
            (r#"{"node":"B","step":"A","user":{"full_name":"b"},"user_data":{"user_name":"a"}}"#, "B", ""),
            (r#"{"step":"A","user_data":{"user_name":"a"},"node":"B","user":{"full_name":"b"}}"#, "B", ""),
            (r#"{"node":"B","step":null,"user":{"user_name":"b"},"user_data":null}"#, "B", "b"),
        ] {
            let event = Event::parse(json).unwrap();
            assert_eq!((event.node.as_str(), event.user.user_name.as_str()), (node, user_name), "{json}");
        }
    }

    #[test]
    fn nothing_is_required_and_odd_scalars_are_read() {
        assert_eq!(Event::parse("{}").unwrap(), Event::default());
        let event = Event::parse(
            r#"{"node":7,"user_data":{"user_id":9,"device_platform":"14"},"entities":null,"conversation_no":"2"}"#,
        )
        .unwrap();
        assert_eq!(
            (event.node.as_str(), event.user.user_id.as_deref(), event.conversation_no),
            ("7", Some("9"), Some(2))
        );
        assert_eq!(event.user.device_platform, Platform::WhatsApp);
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        let message = |json| Event::parse(json).unwrap_err().message().to_owned();
        assert_eq!(message("[]"), "the event cannot be read: expected an object at byte 0");
        assert_eq!(message(r#"{"entities":{"a":["x"]}}"#), "the event cannot be read: expected an object at byte 18");
        assert_eq!(message(r#"{"user": 7}"#), "the event cannot be read: expected an object at byte 9");
        assert!(message("{").starts_with("the event is not JSON: EOF while parsing an object at line 1"));
    }
}
