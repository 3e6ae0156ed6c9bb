//! Message elements: what a bot can show beside plain text. Each type here turns into a [`Message`](crate::Message).
//!
//! What a channel cannot show, the platform converts: Facebook cuts captions at 20 to 25 characters, WhatsApp numbers the choices.
//! Elements without a type here go through [`Message::element`](crate::Message::element).
//!
//! ```
//! use codenode::Reply;
//! use codenode::element::{Action, Button};
//!
//! let reply = Reply::message(
//!     Button::new("Where is my order?").item(Action::say("Track it")).item(Action::link("Our shop", "https://example.com")),
//! );
//! # assert_eq!(reply.messages()[0].as_element().unwrap()["type"], "BUTTON");
//! ```

mod action;
mod carousel;
mod form;
mod menu;

pub use action::{Action, ActionKind, Uri};
pub use carousel::{Card, Carousel, Width};
pub use form::{Field, FieldKind, Form};
pub use menu::{Button, Text};

use serde::Serialize;

/// The envelope of every element; a form has `title` and `subtitle` where the others have `text`.
#[derive(Serialize)]
struct Envelope<'a, D> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtitle: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'a str,
    data: D,
}

impl<'a, D> Envelope<'a, D> {
    const fn with_text(text: &'a str, kind: &'a str, data: D) -> Self {
        Self { text: Some(text), title: None, subtitle: None, kind, data }
    }
}
