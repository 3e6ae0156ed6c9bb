//! One quick pass over a JSON text. It only ever says yes or "look closer": whoever needs the reason asks a parser.

use super::MAX_DEPTH;

/// Whether this is surely one JSON text, nested no deeper than [`MAX_DEPTH`], without `\u0000` in a string.
///
/// Grammar: RFC 8259. It takes a third of the instructions that three passes with serde_json take.
pub(super) fn is_good(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.value(0).and_then(|()| scanner.end()).is_some()
}

/// A walk over a text, from value to value. What it returns is `None` as soon as the text may not be good.
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The brackets that are open, the innermost in the lowest bit: 1 for `{`, 0 for `[`.
struct Open {
    kinds: u128,
    depth: usize,
}

impl Open {
    fn push(&mut self, is_object: bool) -> Option<()> {
        self.depth += 1;
        self.kinds = self.kinds << 1 | u128::from(is_object);
        (self.depth <= MAX_DEPTH).then_some(())
    }

    const fn pop(&mut self) {
        self.depth -= 1;
        self.kinds >>= 1;
    }

    const fn is_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0 }
    }

    /// One value, inside so many brackets.
    pub(crate) fn value(&mut self, depth: usize) -> Option<()> {
        let mut open = Open { kinds: 0, depth };
        loop {
            match self.token()? {
                b'"' => self.string()?,
                b'{' => {
                    open.push(true)?;
                    if !self.takes(b'}') {
                        self.key()?;
                        continue;
                    }
                    open.pop();
                }
                b'[' => {
                    open.push(false)?;
                    if !self.takes(b']') {
                        continue;
                    }
                    open.pop();
                }
                b't' => self.word(b"rue")?,
                b'f' => self.word(b"alse")?,
                b'n' => self.word(b"ull")?,
                first => self.number(first)?,
            }
            // Behind a value: brackets that end with it, then a comma.
            loop {
                if open.depth == depth {
                    return Some(());
                }
                match (self.token()?, open.is_object()) {
                    (b',', true) => {
                        self.key()?;
                        break;
                    }
                    (b',', false) => break,
                    (b'}', true) | (b']', false) => open.pop(),
                    _ => return None,
                }
            }
        }
    }

    /// Nothing more.
    pub(crate) fn end(&mut self) -> Option<()> {
        self.skip_white();
        self.peek().is_none().then_some(())
    }

    /// `"…":`, and what stands in it, which has no escapes.
    pub(crate) fn plain_key(&mut self) -> Option<&'a [u8]> {
        (self.token()? == b'"').then_some(())?;
        let start = self.at;
        self.string()?;
        let key = self.bytes.get(start..self.at - 1).filter(|key| !key.contains(&b'\\'))?;
        (self.token()? == b':').then_some(key)
    }

    pub(crate) fn boolean(&mut self) -> Option<bool> {
        match self.token()? {
            b't' => self.word(b"rue").map(|()| true),
            b'f' => self.word(b"alse").map(|()| false),
            _ => None,
        }
    }

    /// `"…":`
    fn key(&mut self) -> Option<()> {
        (self.token()? == b'"').then_some(())?;
        self.string()?;
        (self.token()? == b':').then_some(())
    }

    /// A string from behind its opening quotation mark.
    pub(crate) fn string(&mut self) -> Option<()> {
        loop {
            self.skip_plain();
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                0..=0x1f => return None,
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.bytes.get(self.at..self.at + 4)?;
                self.at += 4;
                (digits.iter().all(u8::is_ascii_hexdigit) && digits != b"0000").then_some(())
            }
            _ => None,
        }
    }

    /// Skips bytes that mean nothing in a string, eight at a time.
    fn skip_plain(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
        while let Some((eight, _)) = self.bytes.get(self.at..).and_then(<[u8]>::split_first_chunk::<8>) {
            let word = u64::from_le_bytes(*eight);
            let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
            let special = control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')));
            // Only the lowest mark is sure to be right, and only it is looked at.
            if special != 0 {
                self.at += usize::try_from(special.trailing_zeros() / 8).unwrap_or(0);
                return;
            }
            self.at += 8;
        }
    }

    fn number(&mut self, first: u8) -> Option<()> {
        let first = if first == b'-' { self.next()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => self.skip_digits(),
            _ => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        self.skip_digits();
        (self.at > start).then_some(())
    }

    fn skip_digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(rest).then_some(())?;
        self.at += rest.len();
        Some(())
    }

    fn skip_white(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte that is not white space.
    pub(crate) fn token(&mut self) -> Option<u8> {
        self.skip_white();
        self.next()
    }

    /// Takes the next token if it is this one.
    fn takes(&mut self, token: u8) -> bool {
        self.skip_white();
        let is_next = self.peek() == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::slow_check;
    use super::*;

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".*".prop_map(Into::into),
            "[\\x00-\\x7f]{0,20}".prop_map(Into::into),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::vec((".{0,12}", inner), 0..8)
                    .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_good_is_called_good(value in json(), pretty: bool) {
            let text = if pretty { format!(" {value:#}\n") } else { value.to_string() };
            prop_assert_eq!(is_good(&text), slow_check(&text).is_ok(), "{}", text);
        }

        #[test]
        fn what_a_change_of_one_byte_makes_bad_is_never_called_good(value in json(), at: prop::sample::Index, byte in 0_u8..0x80) {
            let mut bytes = value.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(!is_good(&text) || slow_check(&text).is_ok(), "{}", text);
            }
        }

        #[test]
        fn nothing_that_looks_like_json_is_wrongly_called_good(text in r#"[\[\]{}",:\\ u0-9a-f.eE+\-truefalsn]{0,24}"#) {
            prop_assert!(!is_good(&text) || slow_check(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn the_edges_are_where_the_parser_has_them() {
        for good in
            ["0", "-0.5e+7", " [ ] ", "{\"a\":[{},[],\"\\u0001\\\\\"]}", "\"\u{7f}ü😊 long enough for words of eight\""]
        {
            assert!(is_good(good), "{good}");
        }
        for bad in [
            "",
            "-",
            "01",
            "1.",
            "1e",
            ".5",
            "\"\\u12\"",
            "\"\\x\"",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "[}",
            "\"abcdefgh\u{1}\"",
            "1 2",
            "\"\\u0000\"",
        ] {
            assert!(!is_good(bad), "{bad}");
        }
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(is_good(&nested(128)) && !is_good(&nested(129)));
    }
}
