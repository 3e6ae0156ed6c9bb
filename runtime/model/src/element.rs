use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A message element (HSL) as far as we look at it: the envelope. Types and keys are open, so the rest passes through as written.
#[derive(Deserialize)]
pub(crate) struct Element<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) title: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) data: Option<&'a RawValue>,
}

impl<'a> Element<'a> {
    /// Reads an element's envelope from the JSON text of an object.
    pub(crate) fn parse(json: &'a str) -> Result<Self, String> {
        let element: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if element.kind.is_empty() {
            return Err("its `type` is empty".into());
        }
        match element.data {
            Some(data) if !data.get().starts_with('{') && data.get() != "null" => {
                Err("its `data` is not an object".into())
            }
            Some(_) | None => Ok(element),
        }
    }
}
