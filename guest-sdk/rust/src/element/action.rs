use serde::Serialize;
use serde_json::Value;

use crate::Fields;

/// Something to press: a quick reply, a button, or an action of a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Action {
    #[serde(rename = "actionable_text")]
    caption: String,
    location_required: bool,
    is_default: u8,
    uri: Uri,
    #[serde(rename = "type")]
    kind: ActionKind,
    payload: Fields,
    #[serde(skip_serializing_if = "Option::is_none")]
    emoji: Option<String>,
}

impl Action {
    /// Pressing it says the caption, to the bot and in the chat.
    pub fn say(caption: impl Into<String>) -> Self {
        let caption = caption.into();
        let (message, gogo_message) = (caption.clone(), caption.clone());
        Self::new(caption, ActionKind::TextOnly, Uri::default())
            .payload("message", message)
            .payload("gogo_message", gogo_message)
    }

    /// Pressing it opens a page.
    pub fn link(caption: impl Into<String>, url: impl Into<String>) -> Self {
        Self::new(caption, ActionKind::AppAction, Uri::Link).payload("url", url.into())
    }

    /// An action of any kind, with an empty payload.
    pub fn new(caption: impl Into<String>, kind: ActionKind, uri: Uri) -> Self {
        let (caption, payload) = (caption.into(), Fields::default());
        Self { caption, location_required: false, is_default: 0, uri, kind, payload, emoji: None }
    }

    /// What the bot receives instead of the caption (`gogo_message`), such as `track order 71`.
    pub fn sends(self, message: impl Into<String>) -> Self {
        self.payload("gogo_message", message.into())
    }

    /// A key of the payload.
    pub fn payload(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.payload.set(name, value);
        self
    }

    /// An emoji beside the caption.
    pub fn emoji(mut self, emoji: impl Into<String>) -> Self {
        self.emoji = Some(emoji.into());
        self
    }

    /// Asks the user to share the place first.
    pub const fn with_location(mut self) -> Self {
        self.location_required = true;
        self
    }

    /// Makes it the one that is chosen already.
    pub const fn preselected(mut self) -> Self {
        self.is_default = 1;
        self
    }
}

open_enum! {
    /// What happens when an [`Action`] is pressed.
    pub enum ActionKind {
        /// What the [`Uri`] says.
        AppAction = "APP_ACTION",
        /// The text goes to the message bar, to be edited.
        MessageBar = "MESSAGE_BAR",
        /// The text is sent.
        Text = "TEXT",
        /// The text is sent, with nothing else.
        TextOnly = "TEXT_ONLY",
        /// A form opens.
        FormShow = "FORM_SHOW",
        /// The text is shared.
        Share = "SHARE",
    }
}

open_enum! {
    /// Where an [`Action`] of the kind [`ActionKind::AppAction`] leads.
    pub enum Uri {
        /// To the payload's `url`.
        Link = "LINK",
        /// To a phone call.
        Call = "CALL",
        /// To the user's pictures.
        GalleryPicker = "GALLERY_PICKER",
        /// To sharing the place.
        SendLocation = "SEND_LOCATION",
        /// To another channel of the bot.
        LaunchChannel = "LAUNCH_CHANNEL",
    }
}
