//! Sends a one-time code by SMS, and verifies it: once, within five minutes, and in three tries. A number gets five codes an hour at most.

use std::time::Duration;

use codenode::otp::{self, Verdict};
use codenode::{Error, Event, Reply, handler, http, json, kv, log, messages};

/// The node is granted it.
const SMS_SERVICE: &str = "https://sms.example.com/send";

/// What the SMS says, where the message `otp.sms` says nothing else.
const SMS: &str = "Your code is {code}. It is good for five minutes.";

const HOUR: Duration = Duration::from_secs(3600);
const SMS_AN_HOUR: i64 = 5;

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let Some(phone) = event.entities.text("phone").and_then(phone_number) else {
        return Ok(Reply::text("What is your phone number, with the country's code?").status(false));
    };
    match event.entities.text("code") {
        None => send(&phone, event.user.language_code.as_deref()),
        Some(code) => verify(&phone, code),
    }
}

/// A new code takes the place of the one before. Neither is kept if the SMS cannot be sent.
fn send(phone: &str, language: Option<&str>) -> Result<Reply, Error> {
    // Counted at once and for good, as tries are: an SMS costs money, and each new code is three more tries.
    if kv::node()?.keep_for(HOUR).increment(&format!("sms/{phone}"), 1)? > SMS_AN_HOUR {
        return Ok(Reply::text("I have sent too many codes to that number. Please ask again in an hour.").status(false));
    }
    let code = otp::codes()?.issue(phone)?;
    let text = messages::fill(&sms(language), &[("code", &code)]);
    http::Request::post(SMS_SERVICE).json(&json!({ "to": phone, "text": text })).send()?.checked()?;
    Ok(Reply::text(format!("I sent a code to {phone}. What is it?")))
}

fn verify(phone: &str, code: &str) -> Result<Reply, Error> {
    let refused = match otp::codes()?.verify(phone, code)? {
        Verdict::Right => {
            return Ok(Reply::text("Thank you, your number is verified.").user_detail("verified_phone", phone));
        }
        Verdict::Wrong { .. } => "That is not the code.",
        Verdict::TooManyTries => "Too many tries. Please ask for a new code.",
        Verdict::NoCode => "There is no code for that number, or not any more. Please ask for a new one.",
    };
    Ok(Reply::text(refused).status(false))
}

/// In the words of whoever edits the messages, if they are granted and there are any for the code to stand in.
fn sms(language: Option<&str>) -> String {
    match messages::text("otp.sms", language) {
        Ok(text) if text.contains("{code}") => text,
        Ok(_) => SMS.to_owned(),
        Err(error) => {
            log::debug!("{error}");
            SMS.to_owned()
        }
    }
}

/// `+919876543210`, however it was typed.
fn phone_number(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (8..=15).contains(&digits.len()).then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use codenode::http::Response;
    use codenode::{json, testing};

    use super::{HOUR, SMS_AN_HOUR, SMS_SERVICE, handle};

    const PHONE: &str = "+91 98765 43210";
    const OTHER_PHONE: &str = "+49 30 1234567";
    const FIVE_MINUTES: Duration = Duration::from_secs(300);

    /// Asks for a code, and reads the SMS.
    fn sent_to(phone: &str) -> String {
        let inbox = Rc::new(RefCell::new(String::new()));
        let received = Rc::clone(&inbox);
        let _http = testing::http(move |request| {
            assert_eq!((request.method(), request.url()), ("POST", SMS_SERVICE));
            received.replace(String::from_utf8(request.bytes().to_vec()).unwrap());
            Response::new(202)
        });
        let run = testing::run(handle, testing::event("OTP_VERIFY").entity("phone", phone));
        let number = phone.replace(' ', "");
        assert_eq!(run.texts(), [format!("I sent a code to {number}. What is it?")]);
        let sms = inbox.take();
        assert!(sms.contains(&json!(number).to_string()), "{sms}");
        let code: String =
            sms.split("Your code is ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
        assert_eq!(code.len(), 6);
        assert!(!run.json().to_string().contains(&code), "the reply is no place for it");
        code
    }

    /// Whether the number is verified, and what is said.
    fn tried(phone: &str, code: &str) -> (bool, String) {
        let run = testing::run(handle, testing::event("OTP_VERIFY").entity("phone", phone).entity("code", code));
        (run.reply().succeeded(), run.texts().concat())
    }

    fn is_refused(phone: &str, code: &str, because: &str) {
        let (verified, said) = tried(phone, code);
        assert!(!verified && said.contains(because), "{said}");
    }

    fn other_than(code: &str) -> String {
        format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
    }

    #[test]
    fn a_code_verifies_the_number_that_it_was_sent_to_once() {
        let _kv = testing::kv();
        let code = sent_to(PHONE);
        assert_eq!(tried(PHONE, &code), (true, "Thank you, your number is verified.".to_owned()));
        is_refused(PHONE, &code, "There is no code");
    }

    #[test]
    fn a_wrong_code_may_be_corrected_twice_and_then_even_the_right_one_is_refused() {
        let _kv = testing::kv();
        let code = sent_to(PHONE);
        is_refused(PHONE, &other_than(&code), "That is not the code.");
        is_refused(PHONE, "", "That is not the code.");
        assert!(tried(PHONE, &code).0);

        let code = sent_to(PHONE);
        for _ in 0..3 {
            is_refused(PHONE, &other_than(&code), "That is not the code.");
        }
        is_refused(PHONE, &code, "Too many tries");
        assert!(tried(PHONE, &sent_to(PHONE)).0, "a new code has tries of its own");
    }

    #[test]
    fn a_code_is_over_after_five_minutes() {
        let kv = testing::kv();
        let code = sent_to(PHONE);
        kv.advance(FIVE_MINUTES);
        is_refused(PHONE, &code, "There is no code");
    }

    #[test]
    fn a_code_is_for_one_number_and_the_next_one_takes_its_place() {
        let _kv = testing::kv();
        is_refused(PHONE, "000000", "There is no code");
        let (first, other) = (sent_to(PHONE), sent_to(OTHER_PHONE));
        is_refused(OTHER_PHONE, &first, "That is not the code.");
        let second = sent_to(PHONE);
        is_refused(PHONE, &first, "That is not the code.");
        assert!(tried(PHONE, &second).0 && tried(OTHER_PHONE, &other).0);
    }

    #[test]
    fn a_number_gets_so_many_codes_an_hour() {
        let kv = testing::kv();
        (0..SMS_AN_HOUR).for_each(|_| drop(sent_to(PHONE)));
        let run = testing::run(handle, testing::event("OTP_VERIFY").entity("phone", PHONE));
        assert_eq!(run.texts(), ["I have sent too many codes to that number. Please ask again in an hour."]);
        sent_to(OTHER_PHONE);
        kv.advance(HOUR);
        sent_to(PHONE);
    }

    #[test]
    fn what_could_not_be_sent_is_not_kept() {
        let _kv = testing::kv();
        let code = sent_to(PHONE);
        {
            let _http = testing::http(|_| Response::new(503));
            let run = testing::run(handle, testing::event("OTP_VERIFY").entity("phone", PHONE));
            assert!(run.error().contains("503"), "{}", run.error());
        }
        assert!(tried(PHONE, &code).0);
    }

    #[test]
    fn the_sms_speaks_the_language_of_whoever_reads_it() {
        let _kv = testing::kv();
        let _messages = testing::messages([
            ("otp.sms", "Your code is {code}. Tell nobody."),
            ("otp.sms/hi", "आपका कोड {code} है।"),
            ("otp.sms/de", "Ihr Code kommt."),
        ]);
        for (language, words) in
            [("en", "Tell nobody."), ("hi-IN", "आपका कोड "), ("de", "It is good for five minutes.")]
        {
            let _http = testing::http(move |request| {
                let sms = String::from_utf8(request.bytes().to_vec()).unwrap();
                assert!(sms.contains(words) && !sms.contains("{code}"), "{sms}");
                Response::new(202)
            });
            let asking = testing::event("OTP_VERIFY").entity("phone", PHONE).language(language);
            assert!(testing::run(handle, asking).reply().succeeded());
        }
    }

    #[test]
    fn without_a_number_nothing_is_sent() {
        for phone in ["", "me", "12", "1234567890123456"] {
            let run = testing::run(handle, testing::event("OTP_VERIFY").entity("phone", phone));
            assert_eq!(run.texts(), ["What is your phone number, with the country's code?"]);
        }
    }
}
