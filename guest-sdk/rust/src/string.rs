//! Strings as JSON writes them: most of a reply, and nearly all of it text that stands in JSON as it is.

use crate::word::{all, bytes_below, zero_bytes};

const QUOTES: u64 = all(b'"');
const BACKSLASHES: u64 = all(b'\\');

/// Appends a text as a JSON string, byte for byte as serde_json does, which looks at each byte by itself.
pub(crate) fn push_string(json: &mut String, text: &str) {
    json.push('"');
    let mut rest = text;
    while let Some((plain, special, after)) = special(rest) {
        json.push_str(plain);
        push_escape(json, special);
        rest = after;
    }
    json.push_str(rest);
    json.push('"');
}

/// The first character that cannot stand in a JSON string as it is, and what stands before and behind it.
fn special(text: &str) -> Option<(&str, char, &str)> {
    let (plain, rest) = text.split_at_checked(position(text.as_bytes())?)?;
    let mut rest = rest.chars();
    Some((plain, rest.next()?, rest.as_str()))
}

fn position(text: &[u8]) -> Option<usize> {
    let (words, tail) = text.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = bytes_below(word, b' ') | zero_bytes(word ^ QUOTES) | zero_bytes(word ^ BACKSLASHES);
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let in_tail = tail.iter().position(|byte| matches!(byte, 0..b' ' | b'"' | b'\\'))?;
    Some(words.len() * 8 + in_tail)
}

fn push_escape(json: &mut String, special: char) {
    json.push('\\');
    match special {
        '"' | '\\' => json.push(special),
        '\u{8}' => json.push('b'),
        '\t' => json.push('t'),
        '\n' => json.push('n'),
        '\u{c}' => json.push('f'),
        '\r' => json.push('r'),
        _ => {
            json.push_str("u00");
            let code = u32::from(special);
            json.extend([code >> 4, code & 15].into_iter().filter_map(|digit| char::from_digit(digit, 16)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut json = String::new();
        push_string(&mut json, text);
        json
    }

    proptest! {
        #[test]
        fn a_string_is_written_as_serde_writes_it(text in "(.|[\\x00-\\x7f]|abcdefgh){0,24}") {
            prop_assert_eq!(written(&text), serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn every_ascii_character_is_written_as_serde_writes_it() {
        for before in 0..17 {
            for character in '\0'..='\u{80}' {
                let text = format!("{}{character}ü", "x".repeat(before));
                assert_eq!(written(&text), serde_json::to_string(&text).unwrap());
            }
        }
    }
}
