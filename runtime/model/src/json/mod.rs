//! What every JSON text that crosses our boundary must hold to, checked without building a value.

mod scan;

pub(crate) use scan::Scanner;

use serde::de::IgnoredAny;

/// The deepest nesting of arrays and objects.
const MAX_DEPTH: usize = 128;

/// Why a text is not JSON that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("{0}")]
    Syntax(String),
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// PostgreSQL cannot store it, so no backend may meet it.
    #[error("a string holds the character \\u0000, which not every store can keep")]
    Nul,
}

/// Checks syntax, depth and `\u0000` of a whole JSON text; numbers and duplicate keys are left as they are.
pub(crate) fn check(text: &str) -> Result<(), JsonError> {
    if scan::is_good(text) { Ok(()) } else { slow_check(text) }
}

/// The same, with the reason.
fn slow_check(text: &str) -> Result<(), JsonError> {
    // Depth first: no parser ever meets a text nested deeper than we allow.
    if depth(text) > MAX_DEPTH {
        return Err(JsonError::TooDeep);
    }
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| JsonError::Syntax(error.to_string()))?;
    if holds_nul_escape(text) { Err(JsonError::Nul) } else { Ok(()) }
}

/// The deepest nesting of brackets outside strings; meaningless, but harmless, for a text that is not JSON.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether a string of this valid JSON text holds the escape `\u0000` (and not an escaped backslash before `u0000`).
fn holds_nul_escape(text: &str) -> bool {
    text.match_indices("\\u0000").any(|(at, _)| {
        let backslashes_before = text.bytes().take(at).rev().take_while(|byte| *byte == b'\\').count();
        backslashes_before % 2 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_bounded_whatever_the_parser_would_do() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(check(&nested(128)), Ok(()));
        assert_eq!(check(&nested(129)), Err(JsonError::TooDeep));
        assert_eq!(check(&nested(1_000_000)), Err(JsonError::TooDeep));
        assert_eq!(check(r#"["[[[[\"[[[", {"{{{": "}"}]"#), Ok(()));
    }

    #[test]
    fn only_a_real_nul_escape_is_refused() {
        assert_eq!(check(r#"{"a":"x\u0000y"}"#), Err(JsonError::Nul));
        assert_eq!(check(r#"{"a\u0000":1}"#), Err(JsonError::Nul));
        assert_eq!(check(r#"{"a":"\\\u0000"}"#), Err(JsonError::Nul));
        assert_eq!(check(r#"{"a":"\\u0000"}"#), Ok(()));
        assert_eq!(check(r#"{"a":"\u0001"}"#), Ok(()));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in ["", "nul", "NaN", "[1,]", "{} {}", "\u{feff}{}", "{'a':1}", "[01]", "\"\u{1}\""] {
            assert!(matches!(check(bad), Err(JsonError::Syntax(_))), "{bad:?}");
        }
        for good in ["1e999", "123456789012345678901234567890", "{\"a\":1,\"a\":2}", "null"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }
}
