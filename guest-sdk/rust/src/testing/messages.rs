use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    static TEXTS: RefCell<Option<BTreeMap<String, String>>> = const { RefCell::new(None) };
}

/// Grants this thread messages until it is dropped.
#[must_use = "they are there until it is dropped"]
pub struct Saying(());

/// Grants this thread [`messages`](crate::messages) that say this, by their names, `order.not_found` or `order.not_found/hi`, until what it gives
/// back is dropped.
pub fn messages(texts: impl IntoIterator<Item = (impl AsRef<str>, impl Into<String>)>) -> Saying {
    TEXTS.set(Some(texts.into_iter().map(|(name, text)| (spelled(name.as_ref()), text.into())).collect()));
    Saying(())
}

impl Drop for Saying {
    fn drop(&mut self) {
        TEXTS.set(None);
    }
}

/// Whether messages are granted.
pub(super) fn are_granted() -> bool {
    TEXTS.with_borrow(Option::is_some)
}

/// What a message says.
pub(super) fn text(name: &str) -> Option<Vec<u8>> {
    TEXTS.with_borrow(|texts| Some(texts.as_ref()?.get(&spelled(name))?.clone().into_bytes()))
}

/// A language is the same in every case.
fn spelled(name: &str) -> String {
    name.split_once('/')
        .map_or_else(|| name.to_owned(), |(key, language)| format!("{key}/{}", language.to_ascii_lowercase()))
}
