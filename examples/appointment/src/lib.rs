//! Books an appointment from a date and a time, which come as objects, and answers in Hindi or in English.

use codenode::{Date, Error, Event, Reply, Time, handler, log};

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let hindi = event.user.language_code.as_deref() == Some("hi");
    let say = |english: String, hindi_text: String| if hindi { hindi_text } else { english };
    let (Some(date), Some(time)) = (event.entities.date("date"), event.entities.time("time")) else {
        return Ok(Reply::text(say("When would you like to come?".into(), "आप कब आना चाहेंगे?".into())).status(false));
    };
    if !is_open(time) {
        log::info!("asked for {time:?}");
        return Ok(Reply::text(say("We are open from 10:00 to 18:00.".into(), "हम 10:00 से 18:00 बजे तक खुले हैं।".into()))
            .status(false));
    }
    let (day, clock) = (day(date), clock(time));
    let booked = say(format!("See you on {day} at {clock}."), format!("{day} को {clock} बजे मिलते हैं।"));
    Ok(Reply::text(booked).conversation_detail("appointment", format!("{day} {clock}")))
}

fn is_open(time: Time) -> bool {
    (10..18).contains(&time.hour())
}

fn day(date: Date) -> String {
    format!("{:02}/{:02}/{}", date.day(), date.month(), date.year())
}

fn clock(time: Time) -> String {
    format!("{}:{:02}", time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use codenode::{json, testing};

    use super::handle;

    fn at(hour: u8, half: &str) -> testing::EventBuilder {
        let date = json!({"value": {"dd": 23, "mm": 12, "yy": 2019, "type": "date"}, "normal": true});
        testing::event("APPOINTMENT").entity("date", date).entity("time", json!({"hh": hour, "mm": 5, "nn": half}))
    }

    #[test]
    fn an_appointment_is_confirmed_in_english() {
        let run = testing::run(handle, at(3, "pm").language("en"));
        assert_eq!(run.texts(), ["See you on 23/12/2019 at 15:05."]);
        assert_eq!(run.json()["conversation_details"]["appointment"], "23/12/2019 15:05");
    }

    #[test]
    fn an_appointment_is_confirmed_in_hindi() {
        let run = testing::run(handle, testing::event_file("event.json"));
        assert_eq!(run.texts(), ["23/12/2019 को 15:00 बजे मिलते हैं।"]);
    }

    #[test]
    fn outside_opening_hours_nothing_is_booked() {
        let run = testing::run(handle, at(9, "pm"));
        assert_eq!(run.texts(), ["We are open from 10:00 to 18:00."]);
        assert!(!run.reply().succeeded());
    }

    #[test]
    fn a_day_that_does_not_exist_is_asked_for_again() {
        let event = testing::event("APPOINTMENT")
            .entity("date", json!({"value": {"dd": 31, "mm": 2, "yy": 2020}}))
            .language("hi");
        assert_eq!(testing::run(handle, event).texts(), ["आप कब आना चाहेंगे?"]);
    }
}
