use std::fmt::{self, Display};

/// Why a handler has no reply: one line of text for the author.
///
/// Everything that can be displayed turns into one, so `?` works on any error and on `.ok_or("…")`. It becomes the detail of a bot break
/// with the cause `exception`; the person in the chat never sees it.
pub struct Error(String);

impl Error {
    /// An error with this text; line breaks become spaces.
    pub fn new(message: impl Display) -> Self {
        let message = message.to_string();
        Self(if message.contains(['\n', '\r']) { message.replace(['\n', '\r'], " ") } else { message })
    }

    /// The text.
    pub fn message(&self) -> &str {
        &self.0
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn into_message(self) -> String {
        self.0
    }
}

/// `Error` itself is not `Display`: that is what makes room for this conversion.
impl<E: Display> From<E> for Error {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Error").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_displayable_becomes_one_line() {
        fn parse(text: &str) -> Result<u8, Error> {
            let text = Some(text).filter(|text| !text.is_empty()).ok_or("nothing\nto parse")?;
            Ok(text.parse::<u8>()?)
        }
        assert_eq!(parse("7").unwrap(), 7);
        assert_eq!(parse("").unwrap_err().message(), "nothing to parse");
        assert_eq!(parse("x").unwrap_err().message(), "invalid digit found in string");
    }
}
