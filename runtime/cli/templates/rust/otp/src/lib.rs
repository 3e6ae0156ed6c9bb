//! Sends a one-time code by SMS, and verifies it: once, within five minutes, and in three tries. A number gets five codes an hour at most.

use std::time::Duration;

use codenode::otp::{self, Verdict};
use codenode::{Error, Event, Reply, config, handler, http, json, kv};

const HOUR: Duration = Duration::from_secs(3600);
const CODES_AN_HOUR: i64 = 5;

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let phone: String = event.entities.text("phone").unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    if !(8..=15).contains(&phone.len()) {
        return Ok(Reply::text("What is your phone number, with the code of the country?").status(false));
    }
    match event.entities.text("code") {
        None => send(&phone),
        Some(code) => verify(&phone, code),
    }
}

fn send(phone: &str) -> Result<Reply, Error> {
    // Counted at once and for good, also if this run breaks: an SMS costs money.
    if kv::node()?.keep_for(HOUR).increment(&format!("sent/{phone}"), 1)? > CODES_AN_HOUR {
        return Ok(Reply::text("I have sent too many codes to that number. Please ask again in an hour.").status(false));
    }
    let code = otp::codes()?.issue(phone)?;
    let sms = json!({ "to": format!("+{phone}"), "text": format!("Your code is {code}. It is good for 5 minutes.") });
    // Where this fails, the run breaks as the service's failure, and no code is kept.
    http::Request::post(format!("{}/send", config::text("sms_url")?)).json(&sms).send()?.checked()?;
    Ok(Reply::text(format!("I sent a code to +{phone}. What is it?")))
}

fn verify(phone: &str, code: &str) -> Result<Reply, Error> {
    let refused = match otp::codes()?.verify(phone, code)? {
        Verdict::Right => {
            let verified = Reply::text("Thank you, your number is verified.");
            return Ok(verified.user_detail("verified_phone", format!("+{phone}")));
        }
        Verdict::Wrong { .. } => "That is not the code.",
        Verdict::TooManyTries => "Too many tries. Please ask for a new code.",
        Verdict::NoCode => "There is no code for that number, or not any more. Please ask for a new one.",
    };
    Ok(Reply::text(refused).status(false))
}

#[cfg(test)]
mod tests {
    use codenode::http::Response;
    use codenode::testing;

    use super::handle;

    #[test]
    fn a_code_that_could_not_be_sent_is_no_code() {
        let (_kv, _config) = (testing::kv(), testing::config([("sms_url", "https://sms.example.com")]));
        let _http = testing::http(|_| Response::new(503));
        let run = testing::run(handle, testing::event("NODE").entity("phone", "+91 98765 43210"));
        assert!(run.error().contains("503"), "{}", run.error());
    }
}
