use serde::Serialize;
use serde_json::Value;

use super::{Action, Envelope};
use crate::Message;

/// `CAROUSEL`: cards side by side. A picture is a carousel of one card.
#[derive(Clone, Debug, PartialEq)]
pub struct Carousel {
    text: String,
    data: Data,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Data {
    image_aspect_ratio: Value,
    width: Width,
    items: Vec<Card>,
}

impl Carousel {
    /// The text above the cards. Pictures are square and the cards of medium width, unless told otherwise.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), data: Data { image_aspect_ratio: 1.into(), width: Width::Medium, items: Vec::new() } }
    }

    /// A picture by its URL, with nothing around it.
    pub fn image(url: impl Into<String>) -> Self {
        Self::new("").card(Card::new("").image(url))
    }

    /// One more card.
    pub fn card(mut self, card: Card) -> Self {
        self.data.items.push(card);
        self
    }

    /// The pictures' width divided by their height: a number, or a string that spells one.
    pub fn aspect_ratio(mut self, ratio: impl Into<Value>) -> Self {
        self.data.image_aspect_ratio = ratio.into();
        self
    }

    /// How wide a card is.
    pub fn width(mut self, width: Width) -> Self {
        self.data.width = width;
        self
    }
}

impl From<Carousel> for Message {
    fn from(element: Carousel) -> Self {
        Self::from_element(&Envelope::with_text(&element.text, "CAROUSEL", &element.data))
    }
}

/// One card of a [`Carousel`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Card {
    title: String,
    sub_title: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail: Option<Thumbnail>,
    actionables: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Thumbnail {
    image: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Card {
    /// A card with a title and nothing else yet.
    pub fn new(title: impl Into<String>) -> Self {
        let (sub_title, description) = (String::new(), String::new());
        Self { title: title.into(), sub_title, description, thumbnail: None, actionables: Vec::new() }
    }

    /// The line below the title.
    pub fn sub_title(mut self, text: impl Into<String>) -> Self {
        self.sub_title = text.into();
        self
    }

    /// The text below that.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// The picture, by its URL.
    pub fn image(mut self, url: impl Into<String>) -> Self {
        self.thumbnail = Some(Thumbnail { image: url.into(), kind: "LANDSCAPE" });
        self
    }

    /// One more thing to press.
    pub fn action(mut self, action: Action) -> Self {
        self.actionables.push(action);
        self
    }
}

open_enum! {
    /// How wide the cards of a [`Carousel`] are.
    pub enum Width {
        /// The narrowest.
        Thin = "THIN",
        /// The usual width.
        Medium = "MEDIUM",
        /// Wider.
        Fat = "FAT",
        /// The widest.
        Big = "BIG",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cards_have_the_platforms_keys() {
        let card = Card::new("Speaker")
            .sub_title("₹1500")
            .description("Loud")
            .image("https://example.com/s.png")
            .action(Action::say("Buy"));
        let message = Message::from(Carousel::new("Our best").width(Width::Fat).aspect_ratio("1.77").card(card));
        let element = message.as_element().unwrap();
        assert_eq!((&element["text"], &element["type"]), (&json!("Our best"), &json!("CAROUSEL")));
        assert_eq!(
            (&element["data"]["width"], &element["data"]["image_aspect_ratio"]),
            (&json!("FAT"), &json!("1.77"))
        );
        let card = &element["data"]["items"][0];
        assert_eq!(
            (&card["title"], &card["sub_title"], &card["description"]),
            (&json!("Speaker"), &json!("₹1500"), &json!("Loud"))
        );
        assert_eq!(card["thumbnail"], json!({"image": "https://example.com/s.png", "type": "LANDSCAPE"}));
        assert_eq!(card["actionables"][0]["actionable_text"], "Buy");
    }

    #[test]
    fn an_image_is_a_carousel_of_one_card() {
        let element = Message::from(Carousel::image("https://example.com/s.png")).as_element().unwrap();
        assert_eq!(element["data"]["items"].as_array().unwrap().len(), 1);
        assert_eq!(element["data"]["items"][0]["thumbnail"]["image"], "https://example.com/s.png");
    }
}
