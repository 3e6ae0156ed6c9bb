//! A handler's configuration, as the sandbox needs it. It says what one node may read; whoever embeds it knows where that comes from.

/// What one node's revision reads of its configuration. What it is not granted is not there.
pub trait Values: Send + Sync {
    /// The value of a key as it is now; one that is secret too, if it is granted.
    fn get(&self, key: &str) -> Option<String>;

    /// All values with their keys but for what is secret: that is given only to who asks for it by name.
    fn all(&self) -> Vec<(String, String)>;

    /// The text without the secrets that this revision may read; `None`: there are none in it.
    fn redact(&self, text: &str) -> Option<String>;
}
