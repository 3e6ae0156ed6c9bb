//! Keys, and the one thing that can be said with them: `name?ttl=300` is written to `name` and kept for 300 seconds.

use std::time::Duration;

use super::store::Error;
use crate::key_value::{MAX_KEY_BYTES, MAX_LIFETIME};

const TTL: &str = "?ttl=";

/// The key of what is looked up, deleted or listed.
pub(super) fn plain(key: String) -> Result<String, Error> {
    if key.contains(TTL) {
        return Err(other(format!("`{}`: `{TTL}` can be said only where an entry is written", shown(&key))));
    }
    checked(key)
}

/// The key of what is written, and for how long it is kept.
pub(super) fn written(mut key: String) -> Result<(String, Option<Duration>), Error> {
    let Some((name, seconds)) = key.split_once(TTL) else { return Ok((checked(key)?, None)) };
    let most = MAX_LIFETIME.as_secs();
    let digits = Some(seconds).filter(|seconds| seconds.bytes().all(|byte| byte.is_ascii_digit()));
    let lifetime = digits.and_then(|seconds| seconds.parse().ok()).filter(|seconds| (1..=most).contains(seconds));
    let Some(lifetime) = lifetime.map(Duration::from_secs) else {
        return Err(other(format!("`{}`: after `{TTL}` stand 1 to {most} seconds, in digits", shown(&key))));
    };
    key.truncate(name.len());
    Ok((checked(key)?, Some(lifetime)))
}

fn checked(key: String) -> Result<String, Error> {
    let bytes = key.len();
    if bytes == 0 {
        Err(other("a key is empty".to_owned()))
    } else if bytes > MAX_KEY_BYTES {
        Err(other(format!("a key has {bytes} bytes: the most is {MAX_KEY_BYTES}")))
    } else if key.contains('\0') {
        Err(other(format!("the key `{}` has a NUL in it", shown(&key))))
    } else {
        Ok(key)
    }
}

pub(super) const fn other(why: String) -> Error {
    Error::Other(why)
}

fn shown(key: &str) -> String {
    key.chars().take(64).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_said_behind_the_key() {
        let read = |key: &str| written(key.to_owned()).map_err(|_| ());
        assert_eq!(read("otp/1?ttl=300"), Ok(("otp/1".to_owned(), Some(Duration::from_secs(300)))));
        assert_eq!(read("what?"), Ok(("what?".to_owned(), None)));
        for wrong in
            ["a?ttl=", "a?ttl=0", "a?ttl=-1", "a?ttl=+1", "a?ttl=1.5", "a?ttl=1?ttl=1", "a?ttl=99999999999", "?ttl=1"]
        {
            assert_eq!(read(wrong), Err(()), "{wrong}");
        }
        assert!(plain("a?ttl=1".to_owned()).is_err());
    }

    #[test]
    fn a_key_is_neither_empty_nor_long_nor_has_a_nul() {
        for wrong in [String::new(), "x".repeat(MAX_KEY_BYTES + 1), "a\0b".to_owned()] {
            assert!(plain(wrong.clone()).is_err() && written(wrong).is_err());
        }
        assert!(plain("é".repeat(MAX_KEY_BYTES / 2)).is_ok());
    }
}
