//! One-time codes: made, kept for a while, and verified in a few tries, in the node's own bucket (the grant `kv:node`). Whoever makes one sends it. The
//! module is there with the feature `otp`: `codenode = { features = ["otp"], … }`.
//!
//! A try counts at once and for good, so many runs at the same time have no more tries, and one that breaks has not had none. So is a right code used
//! up: of many runs that bring it at the same time one is told so, even if it breaks then. A code is kept only if its run replies: one that could not be
//! sent never was.
//! ```
//! use codenode::{Error, Event, Reply, otp};
//!
//! fn handle(event: Event) -> Result<Reply, Error> {
//!     let (codes, phone) = (otp::codes()?, event.entities.text("phone").ok_or("no phone")?);
//!     let Some(typed) = event.entities.text("code") else {
//!         let code = codes.issue(phone)?;
//!         return Ok(Reply::text(format!("(an SMS with {code} is on its way)")));
//!     };
//!     Ok(match codes.verify(phone, typed)? {
//!         otp::Verdict::Right => Reply::text("Thank you."),
//!         otp::Verdict::Wrong { tries_left } => Reply::text(format!("No. {tries_left} tries are left.")).status(false),
//!         otp::Verdict::TooManyTries | otp::Verdict::NoCode => Reply::text("Ask for a new code.").status(false),
//!     })
//! }
//!
//! # fn main() {
//! // In a unit test, natively:
//! use codenode::testing;
//! let _kv = testing::kv();
//! let asked = testing::run(handle, testing::event("OTP").entity("phone", "+1"));
//! let code: String = asked.texts()[0].chars().filter(char::is_ascii_digit).collect();
//! let typed = |code: &str| testing::run(handle, testing::event("OTP").entity("phone", "+1").entity("code", code));
//! assert_eq!(typed("nonsense").texts(), ["No. 2 tries are left."]);
//! assert_eq!(typed(&code).texts(), ["Thank you."]);
//! assert_eq!(typed(&code).texts(), ["Ask for a new code."]);
//! # }
//! ```

use std::time::Duration;

use subtle::ConstantTimeEq as _;

use crate::kv::{self, Bucket, Error};

const DIGITS: u32 = 6;
const GOOD_FOR: Duration = Duration::from_secs(300);
const TRIES: u32 = 3;

/// A code of fewer digits is guessed, and nobody types more of them.
const MIN_DIGITS: u32 = 4;
const MAX_DIGITS: u32 = 12;

/// The codes of a node.
#[derive(Clone, Debug)]
pub struct Codes {
    bucket: Bucket,
    digits: u32,
    good_for: Duration,
    tries: u32,
}

/// What becomes of a code that somebody typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one that was issued, and is used up now, for good.
    Right,
    /// It is not.
    Wrong {
        /// How often it can be tried again; 0: never.
        tries_left: u32,
    },
    /// It was tried too often, so it is not even looked at.
    TooManyTries,
    /// There is none, or not any more.
    NoCode,
}

/// Codes of six digits, good for five minutes and three tries.
///
/// # Errors
/// [`Error::Refused`] without the grant `kv:node`.
pub fn codes() -> Result<Codes, Error> {
    Ok(Codes { bucket: kv::node()?, digits: DIGITS, good_for: GOOD_FOR, tries: TRIES })
}

impl Codes {
    /// Codes of so many digits: 4 to 12; what is out of that is taken for the nearer of them.
    #[must_use]
    pub fn digits(self, digits: u32) -> Self {
        Self { digits: digits.clamp(MIN_DIGITS, MAX_DIGITS), ..self }
    }

    /// Codes that are good for so long: 1 second to 366 days, rounded up to whole seconds.
    #[must_use]
    pub fn good_for(self, time: Duration) -> Self {
        Self { good_for: time, ..self }
    }

    /// Codes that can be tried so often, at least once.
    #[must_use]
    pub fn tries(self, tries: u32) -> Self {
        Self { tries: tries.max(1), ..self }
    }

    /// A new code for somebody, such as a phone number of up to 500 bytes. It takes the place of the one before, with tries of its own.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn issue(&self, to: &str) -> Result<String, Error> {
        let number = random() % 10_u64.pow(self.digits);
        let code = format!("{number:0width$}", width = self.digits as usize);
        let bucket = self.bucket.keep_for(self.good_for);
        // As it is: whoever has a hash of six digits has the digits.
        bucket.set(&code_of(to), &code)?;
        bucket.delete(&tries_of(to))?;
        Ok(code)
    }

    /// Whether somebody has typed the code that was issued to them, in a time that does not tell how much of it is right.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn verify(&self, to: &str, typed: &str) -> Result<Verdict, Error> {
        let bucket = self.bucket.keep_for(self.good_for);
        let tries = bucket.increment(&tries_of(to), 1)?;
        let Some(tries_left) = u32::try_from(tries).ok().and_then(|tries| self.tries.checked_sub(tries)) else {
            return Ok(Verdict::TooManyTries);
        };
        let mut verdict = Verdict::NoCode;
        // Nothing takes the place of the right code: a deletion would wait for the reply, and others would find the code meanwhile.
        bucket.update(&code_of(to), |code| {
            verdict = match code {
                None | Some([]) => Verdict::NoCode,
                Some(code) if bool::from(code.ct_eq(typed.trim().as_bytes())) => Verdict::Right,
                Some(_) => Verdict::Wrong { tries_left },
            };
            (verdict == Verdict::Right).then(Vec::new)
        })?;
        Ok(verdict)
    }
}

fn code_of(to: &str) -> String {
    format!("otp/code/{to}")
}

fn tries_of(to: &str) -> String {
    format!("otp/tries/{to}")
}

#[cfg(target_arch = "wasm32")]
fn random() -> u64 {
    wasip2::random::random::get_random_u64()
}

/// For tests: as random as the keys of the standard library's maps.
#[cfg(not(target_arch = "wasm32"))]
fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// Of the same form, and another one.
    fn other_than(code: &str) -> String {
        let first = if code.starts_with('7') { '8' } else { '7' };
        code.char_indices().map(|(at, digit)| if at == 0 { first } else { digit }).collect()
    }

    #[test]
    fn a_code_is_right_once_and_for_whom_it_was_issued() {
        let _kv = testing::kv();
        let codes = codes().unwrap();
        assert_eq!(codes.verify("a", "000000"), Ok(Verdict::NoCode));
        let (first, other) = (codes.issue("a").unwrap(), codes.issue("b").unwrap());
        let second = codes.issue("a").unwrap();
        assert!(first == second || codes.verify("a", &first) == Ok(Verdict::Wrong { tries_left: 2 }));
        assert_eq!(codes.verify("a", &format!(" {second}\n")), Ok(Verdict::Right));
        assert_eq!(codes.verify("a", &second), Ok(Verdict::NoCode));
        assert_eq!(codes.verify("b", &other), Ok(Verdict::Right));
    }

    #[test]
    fn a_right_code_is_used_up_even_if_the_run_breaks() {
        let _kv = testing::kv();
        let codes = codes().unwrap();
        let code = codes.issue("a").unwrap();
        let run = testing::run(
            |_| {
                assert_eq!(codes.verify("a", &code)?, Verdict::Right);
                Err("after it was right".into())
            },
            testing::event("X"),
        );
        assert_eq!(run.error(), "after it was right");
        assert_eq!(codes.verify("a", &code), Ok(Verdict::NoCode));
        assert_eq!(codes.verify("a", ""), Ok(Verdict::NoCode));
        let next = codes.issue("a").unwrap();
        assert_eq!(codes.verify("a", &next), Ok(Verdict::Right));
    }

    #[test]
    fn after_the_last_try_even_the_right_code_is_refused() {
        let kv = testing::kv();
        let codes = codes().unwrap().tries(2).good_for(Duration::from_secs(60));
        let code = codes.issue("a").unwrap();
        assert_eq!(codes.verify("a", &other_than(&code)), Ok(Verdict::Wrong { tries_left: 1 }));
        assert_eq!(codes.verify("a", ""), Ok(Verdict::Wrong { tries_left: 0 }));
        assert_eq!(codes.verify("a", &code), Ok(Verdict::TooManyTries));
        let next = codes.issue("a").unwrap();
        assert_eq!(codes.verify("a", &next), Ok(Verdict::Right));
        codes.issue("a").unwrap();
        kv.advance(Duration::from_secs(60));
        assert_eq!(codes.verify("a", &next), Ok(Verdict::NoCode));
    }

    #[test]
    fn codes_differ_and_have_as_many_digits_as_was_said() {
        let _kv = testing::kv();
        for (asked, digits) in [(0, 4), (4, 4), (6, 6), (99, 12)] {
            let code = codes().unwrap().digits(asked).issue("a").unwrap();
            assert!(code.len() == digits && code.bytes().all(|digit| digit.is_ascii_digit()), "{code}");
        }
        let long = codes().unwrap().digits(12);
        let mut seen: Vec<String> = (0..100).map(|_| long.issue("a").unwrap()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 100);
    }
}
