use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    static VALUES: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
    static SECRETS: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
}

/// Sets values for this thread until it is dropped.
#[must_use = "they are set until it is dropped"]
pub struct Set(Kind);

enum Kind {
    Values,
    Secrets,
}

/// Sets these values, and no others, for handlers of this thread that read [`config`](crate::config), until what it gives back is dropped.
pub fn config(values: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Set {
    VALUES.set(owned(values));
    Set(Kind::Values)
}

/// Grants handlers of this thread these secrets, and no others, until what it gives back is dropped.
pub fn secrets(secrets: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Set {
    SECRETS.set(owned(secrets));
    Set(Kind::Secrets)
}

impl Drop for Set {
    fn drop(&mut self) {
        match self.0 {
            Kind::Values => VALUES.take(),
            Kind::Secrets => SECRETS.take(),
        };
    }
}

/// What is set under a key.
pub(crate) fn value(key: &str) -> Option<String> {
    let found = |of: &RefCell<BTreeMap<String, String>>| of.borrow().get(key).cloned();
    VALUES.with(found).or_else(|| SECRETS.with(found))
}

/// What is set, but for secrets.
pub(crate) fn values() -> Vec<(String, String)> {
    VALUES.with_borrow(|values| values.clone().into_iter().collect())
}

fn owned(values: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> BTreeMap<String, String> {
    values.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}
