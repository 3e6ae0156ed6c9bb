//! What is remembered of users and of their conversations, for platforms that do not do so themselves: it comes with the next event, and a reply
//! changes it.
//!
//! Handlers never reach it otherwise: no bucket that they can open is one of these, and whose details they see is the event's to say.

use std::fmt::Write as _;
use std::time::Duration;

use bytesize::ByteSize;
use model::{BotBreak, Cause, Chat, Details, Event, Level, MergeError, NewValue, Reply, merged};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::grants::Granted;
use crate::host::Host;
use crate::key_value::{KeyValue, KeyValueError, Write};

/// For how long a conversation is remembered, from its last change on. A user is until somebody changes that.
const CONVERSATION_TIME: Duration = Duration::from_secs(3 * 3_600);

/// The longest part of a key. The longest key is two of them with a stroke between them.
const MAX_PART_BYTES: usize = 255;

/// What is remembered of whom an event is about.
pub(crate) struct Recalled {
    /// `None` where nothing has to be added to it.
    event: Option<Event>,
    places: Vec<Place>,
    /// What is granted and cannot be remembered, for the event does not say whose it is.
    nameless: Vec<Details>,
}

/// Where details are.
struct Place {
    of: Details,
    key: String,
    /// A JSON object; `None` where nothing is kept.
    kept: Option<String>,
}

/// A change of what is remembered.
pub(crate) struct Change {
    pub(crate) write: Write,
    /// What the entry will take with its key; `None` where nothing will be left of it.
    pub(crate) bytes: Option<u64>,
}

/// Reads what is remembered of whom an event is about.
///
/// # Errors
/// `unavailable`, if it cannot be read within the run's wall time.
pub(crate) async fn recall(
    granted: &Granted,
    event: &Event,
    wall_time: Duration,
    cancelled: &CancellationToken,
) -> Result<Recalled, BotBreak> {
    let (mut places, nameless) = places(&granted.state, &event.chat());
    let store = granted.store.as_ref();
    let read = async {
        match places.as_mut_slice() {
            [one, another] => tokio::try_join!(one.read(store), another.read(store)).map(drop),
            places => {
                for place in places {
                    place.read(store).await?;
                }
                Ok(())
            }
        }
    };
    let unread = |why: &str| {
        BotBreak::new(Cause::Unavailable, format!("what is remembered of the user could not be read: {why}"))
    };
    match cancelled.run_until_cancelled(tokio::time::timeout(wall_time, read)).await {
        Some(Ok(Ok(()))) => {}
        Some(Ok(Err(error))) => return Err(unread(&error.to_string())),
        Some(Err(_elapsed)) => return Err(unread("it took too long")),
        None => return Err(BotBreak::new(Cause::Unavailable, "this host shut down before the run was over")),
    }
    let mut told = None;
    for place in &places {
        let Some(kept) = &place.kept else { continue };
        let with = told.as_ref().unwrap_or(event).with_details(place.of, kept);
        told = with.map_err(|error| unread(&place.damaged(&error)))?.or(told);
    }
    Ok(Recalled { event: told, places, nameless })
}

impl Recalled {
    /// The event with what is remembered; `None` where it is the same without.
    pub(crate) const fn event(&self) -> Option<&Event> {
        self.event.as_ref()
    }

    /// Has the run's usage and its log tell of it.
    pub(crate) fn note(&self, host: &mut Host) {
        let bytes = self.places.iter().filter_map(|place| place.kept.as_ref()).map(String::len).sum::<usize>();
        host.buckets().0.count(self.places.len(), bytes);
        for details in &self.nameless {
            let missing = match details {
                Details::Conversation => "`user.user_id` or no `conversation_no`",
                Details::User => "`user.user_id`",
            };
            let line = format!("state:{details} is granted, but the event has no {missing}: nothing is remembered");
            host.journal.write(Level::Warn, &line);
        }
    }

    /// What a reply changes of it.
    ///
    /// # Errors
    /// If there would be too much of it, or the run has done too much already.
    pub(crate) fn changes(&self, reply: &Reply, host: &mut Host) -> Result<Vec<Change>, BotBreak> {
        let mut changes = Vec::new();
        for place in &self.places {
            let fields = reply.details(place.of).filter(|fields| !is_empty(fields));
            changes.extend(fields.map(|fields| place.change(fields)).transpose()?);
        }
        let bytes = changes.iter().filter_map(|change| change.bytes).sum::<u64>();
        let (buckets, limits) = host.buckets();
        buckets.count(changes.len(), usize::try_from(bytes).unwrap_or(usize::MAX));
        let (used, is_changed) = (buckets.used(), !changes.is_empty());
        let too_much = |what: String| Err(BotBreak::new(Cause::TooManyCalls, format!("with its details it {what}")));
        if is_changed && used.calls > limits.kv_calls {
            return too_much(format!("made more than {} key-value operations", limits.kv_calls));
        }
        if is_changed && used.bytes > limits.kv_data_bytes {
            return too_much(format!("read and wrote more than {} of entries", ByteSize(limits.kv_data_bytes)));
        }
        Ok(changes)
    }
}

impl Place {
    async fn read(&mut self, store: &dyn KeyValue) -> Result<(), KeyValueError> {
        let entry = store.get(self.of.bucket(), vec![self.key.clone()]).await?.pop().flatten();
        // What is no UTF-8 is no JSON either, and told as such.
        self.kept = entry.map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
        Ok(())
    }

    fn change(&self, fields: &str) -> Result<Change, BotBreak> {
        let left = merged(self.kept.as_deref().unwrap_or("{}"), fields).map_err(|error| match error {
            MergeError::NotAnObject(why) => BotBreak::new(Cause::Unavailable, self.damaged(&why)),
            MergeError::TooLarge(_) => {
                let detail = format!("what is remembered of the {} cannot be kept: {error}", self.of);
                BotBreak::new(Cause::ReplyWrongShape, detail)
            }
        })?;
        let write = Write {
            bucket: self.of.bucket(),
            key: self.key.clone(),
            value: NewValue::Fields(fields.to_owned()),
            lifetime: match self.of {
                Details::Conversation => Some(CONVERSATION_TIME),
                Details::User => None,
            },
        };
        Ok(Change { write, bytes: left.map(|left| (self.key.len() + left.len()) as u64) })
    }

    fn damaged(&self, why: &impl std::fmt::Display) -> String {
        format!("the entry {} of the bucket {} is damaged, so delete it: {why}", self.key.escape_debug(), self.of)
    }
}

/// Where the granted details of a chat are, and those that have no place.
fn places(granted: &[Details], chat: &Chat) -> (Vec<Place>, Vec<Details>) {
    let (mut places, mut nameless) = (Vec::new(), Vec::new());
    let user = chat.user_id.as_deref().map(part);
    for of in granted.iter().copied() {
        let key = match of {
            Details::Conversation => user
                .as_ref()
                .zip(chat.conversation_no.as_deref())
                .map(|(user, number)| format!("{user}/{}", part(number))),
            Details::User => user.clone(),
        };
        match key {
            Some(key) => places.push(Place { of, key, kept: None }),
            None => nameless.push(of),
        }
    }
    (places, nameless)
}

/// An id as a part of a key. What would be read as something else is written as in a URL: strokes, `?`, `%` and control characters. In the place of one
/// that is too long stands its SHA-256, behind a `%` that no other id has there.
fn part(id: &str) -> String {
    let mut part = String::with_capacity(id.len());
    for character in id.chars() {
        if matches!(character, '/' | '?' | '%') || character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(part, "%{byte:02X}");
            }
        } else {
            part.push(character);
        }
        if part.len() > MAX_PART_BYTES {
            return format!("%sha256-{}", hex::encode(Sha256::digest(id)));
        }
    }
    part
}

fn is_empty(object: &str) -> bool {
    object.trim_start_matches('{').trim_end_matches('}').trim_ascii().is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn keys(user_id: &str, conversation_no: &str) -> (String, String) {
        let chat = Chat { user_id: Some(user_id.to_owned()), conversation_no: Some(conversation_no.to_owned()) };
        let (places, nameless) = places(&[Details::Conversation, Details::User], &chat);
        assert!(nameless.is_empty());
        let [conversation, user] = places.try_into().unwrap_or_else(|_| panic!("two places"));
        (user.key, conversation.key)
    }

    #[test]
    fn a_key_reads_as_the_ids_that_it_is_made_of() {
        for (user_id, conversation_no, user, conversation) in [
            ("u-1", "1", "u-1", "u-1/1"),
            ("../x", "a/b", "..%2Fx", "..%2Fx/a%2Fb"),
            ("a@b.example", "7", "a@b.example", "a@b.example/7"),
            ("a?ttl=1", "%", "a%3Fttl=1", "a%3Fttl=1/%25"),
            ("आशा 😊", "\n\u{85}", "आशा 😊", "आशा 😊/%0A%C2%85"),
        ] {
            assert_eq!(keys(user_id, conversation_no), (user.to_owned(), conversation.to_owned()));
        }
        let long = "x".repeat(MAX_PART_BYTES + 1);
        let digest = "%sha256-85e62acd750c4eb56b7b6a1d66dca5bfaac5f062608a1a893410d0288936c09a";
        assert!(keys(&long, &long).1.len() <= crate::key_value::MAX_KEY_BYTES);
        assert_eq!(keys(&long, "1").0, digest);
        assert_eq!(keys(&long[1..], "1").0, long[1..]);
    }

    #[test]
    fn no_two_chats_have_the_same_key() {
        let long = ["x".repeat(256), "y".repeat(10_000), "/".repeat(86), "é".repeat(128)];
        let digest = keys(&long[0], "1").0;
        let mut ids = vec![
            "a", "b", "a/b", "a%2Fb", "a%252Fb", "%", "/", "//", "..", " ", "a ", "A", "é", "e\u{301}", "\u{1}", "%01",
            &digest,
        ];
        ids.extend(long.iter().map(String::as_str));
        let (mut users, mut conversations) = (HashSet::new(), HashSet::new());
        for user_id in &ids {
            for conversation_no in &ids {
                let (user, conversation) = keys(user_id, conversation_no);
                users.insert(user);
                assert!(conversation.len() <= crate::key_value::MAX_KEY_BYTES && conversations.insert(conversation));
            }
        }
        assert_eq!(users.len(), ids.len());
    }
}
