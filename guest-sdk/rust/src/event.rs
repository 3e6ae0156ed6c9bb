use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess};

use crate::object::{self, Object, Text};
use crate::{Entities, Error, Fields};

/// What the bot platform sent: which node is asked, by whom, and what was detected.
///
/// The form of 2018 has only `node`, `event`, three fields of `user`, and `entities`. So nothing is required: absent text is empty, an absent
/// list has no entries, and keys that have no field here are in `extra`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// The node's system name, such as `ORDER_STATUS`. Since 2023 the platform calls it `step`; both are read.
    pub node: String,
    /// Why the node is asked.
    pub event: EventKind,
    /// Who is chatting. The platform's Run panel calls it `user_data`; both are read.
    pub user: User,
    /// How many conversations this one makes for the user.
    pub conversation_no: Option<i64>,
    /// What earlier nodes kept for this conversation.
    pub conversation_details: Fields,
    /// What is kept for this user.
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
        serde_json::from_str(json).map_err(|error| Error::new(format_args!("the event cannot be read: {error}")))
    }
}

impl Object for Event {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        match key.as_ref() {
            "node" | "step" => self.node = map.next_value::<Text>()?.or_empty(),
            "event" => self.event = map.next_value::<Text>()?.or_empty().into(),
            "user" | "user_data" => self.user = map.next_value()?,
            "conversation_no" => self.conversation_no = integer(map)?,
            "conversation_details" => self.conversation_details = map.next_value()?,
            "user_details" => self.user_details = map.next_value()?,
            "entities" => self.entities = map.next_value()?,
            "env_variables" => self.env_variables = map.next_value()?,
            _ => self.extra.read(key, map)?,
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object::deserialize(deserializer)
    }
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

impl Object for User {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        match key.as_ref() {
            "user_name" => self.user_name = map.next_value::<Text>()?.or_empty(),
            "full_name" => self.full_name = map.next_value::<Text>()?.or_empty(),
            "device_platform" => self.device_platform = integer(map)?.map(Platform::from).unwrap_or_default(),
            "user_id" => self.user_id = map.next_value::<Text>()?.0,
            "language_code" => self.language_code = map.next_value::<Text>()?.0,
            "auth_id" => self.auth_id = map.next_value::<Text>()?.0,
            "auth_code" => self.auth_code = map.next_value::<Text>()?.0,
            _ => self.extra.read(key, map)?,
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object::deserialize(deserializer)
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

fn integer<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<i64>, A::Error> {
    Ok(crate::value::integer(&map.next_value()?))
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
        assert_eq!(
            message("[]"),
            "the event cannot be read: invalid type: sequence, expected an object at line 1 column 2"
        );
        assert!(message(r#"{"entities":{"a":["x"]}}"#).contains("invalid type: string \"x\", expected an object"));
    }
}
