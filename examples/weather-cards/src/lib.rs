//! The weather of several cities, asked for all at once: a card for each, also for those that nobody knows anything of.

use std::collections::BTreeSet;
use std::time::Duration;

use codenode::element::{Card, Carousel};
use codenode::http::{self, Request, Response};
use codenode::{Error, Event, Reply, handler, log};
use serde::Deserialize;

/// For all of them, since none waits for another; a run has ten seconds.
const PATIENCE: Duration = Duration::from_secs(4);
/// The host lets so many requests wait for their response at once.
const MAX_CITIES: usize = 6;

#[derive(Deserialize)]
struct Weather {
    sky: String,
    celsius: f64,
}

/// Nothing where the service knows no such city.
type Told = Result<Option<Weather>, http::Error>;

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let mut cities = cities(&event);
    if cities.is_empty() {
        return Ok(Reply::text("The weather of which cities?").status(false));
    }
    let are_too_many = cities.len() > MAX_CITIES;
    cities.truncate(MAX_CITIES);
    let service =
        event.env_variables.text("WEATHER_URL").ok_or("the bot's variable WEATHER_URL must name the service")?;
    let url = format!("{}/v1/weather", service.trim_end_matches('/'));
    let request = |city| Request::get(url.as_str()).query("city", city).timeout(PATIENCE);
    let told: Vec<Told> = http::all(cities.iter().map(request)).into_iter().map(read).collect();
    if let Some(error) = failure_of_all(&told) {
        return Err(error.into());
    }
    let cards = cities.iter().zip(&told).map(|(city, told)| card(city, told));
    let reply = Reply::message(cards.fold(Carousel::new("The weather now"), Carousel::card));
    let reply = reply.status(told.iter().any(|told| matches!(told, Ok(Some(_)))));
    Ok(if are_too_many { reply.and(format!("I look up {MAX_CITIES} cities at a time.")) } else { reply })
}

/// Each once, and one more than are looked up where there are more.
fn cities(event: &Event) -> Vec<&str> {
    let mut known = BTreeSet::new();
    let said = event.entities.get("city").iter().filter_map(|entity| entity.text()).map(str::trim);
    said.filter(|city| !city.is_empty() && known.insert(city.to_lowercase())).take(MAX_CITIES + 1).collect()
}

fn read(answer: Result<Response, http::Error>) -> Told {
    match answer? {
        unknown if unknown.status() == 404 => Ok(None),
        response => response.checked()?.json().map(Some),
    }
}

/// With nothing to show there is no reply: passed on, it is told as the failure of the service.
fn failure_of_all(told: &[Told]) -> Option<&http::Error> {
    let mut failures = told.iter().map(|told| told.as_ref().err());
    let first = failures.next()?;
    if failures.all(|failure| failure.is_some()) { first } else { None }
}

fn card(city: &str, told: &Told) -> Card {
    let card = Card::new(city);
    match told {
        // `+ 0.0`: there is no -0 °C.
        Ok(Some(Weather { sky, celsius })) => card.sub_title(format!("{} °C", celsius.round() + 0.0)).description(sky),
        Ok(None) => card.description("I know no city of that name."),
        Err(error) => {
            log::warn!("{city}: {error}");
            card.description("I cannot tell right now.")
        }
    }
}

#[cfg(test)]
mod tests {
    use codenode::http::{Request, Response};
    use codenode::{Value, json, testing};

    use super::{MAX_CITIES, handle};

    fn asking(cities: &[&str]) -> testing::EventBuilder {
        let event = testing::event("WEATHER_CARDS").env("WEATHER_URL", "https://weather.example.com");
        cities.iter().fold(event, |event, city| event.entity("city", *city))
    }

    fn service(request: &Request) -> Response {
        match request.url().strip_prefix("https://weather.example.com/v1/weather?city=").unwrap() {
            "Pune" => Response::of_json(200, &json!({ "sky": "haze", "celsius": 31.6 })),
            "Leh" => Response::of_json(200, &json!({ "sky": "snow", "celsius": -0.4 })),
            "Mumbai" => Response::new(503),
            "Goa" => Response::of_json(200, &json!({ "sky": "clear" })),
            _ => Response::new(404),
        }
    }

    /// Title, line below it, and text of each card.
    fn cards(run: &testing::Run) -> Vec<[String; 3]> {
        let carousel = run.reply().messages()[0].as_element().unwrap();
        assert_eq!(carousel["type"], "CAROUSEL");
        let text = |card: &Value, key| card[key].as_str().unwrap().to_owned();
        let texts = |card: &Value| ["title", "sub_title", "description"].map(|key| text(card, key));
        carousel["data"]["items"].as_array().unwrap().iter().map(texts).collect()
    }

    #[test]
    fn each_city_has_a_card_in_the_order_of_the_question() {
        let _http = testing::http(service);
        let run = testing::run(handle, asking(&["Pune", "Atlantis", "Leh"]));
        assert_eq!(
            cards(&run),
            [["Pune", "32 °C", "haze"], ["Atlantis", "", "I know no city of that name."], ["Leh", "0 °C", "snow"]]
        );
        assert!(run.reply().succeeded() && run.logs().is_empty());
        assert!(!testing::run(handle, asking(&["Atlantis", "Mumbai"])).reply().succeeded());
    }

    #[test]
    fn a_city_whose_request_failed_has_a_card_that_says_so() {
        let _http = testing::http(service);
        let run = testing::run(handle, asking(&["Mumbai", "Pune", "Goa"]));
        let failed = |city| [city, "", "I cannot tell right now."];
        assert_eq!(cards(&run), [failed("Mumbai"), ["Pune", "32 °C", "haze"], failed("Goa")]);
        assert!(run.logs()[0].message.contains("Mumbai: upstream: ") && run.logs().len() == 2, "{:?}", run.logs());
    }

    #[test]
    fn where_all_requests_failed_that_is_passed_on() {
        let _http = testing::http(|_| Response::new(503));
        for cities in [["Pune"].as_slice(), &["Pune", "Leh"]] {
            let run = testing::run(handle, asking(cities));
            assert!(run.error().starts_with("upstream: "), "{}", run.error());
        }
    }

    #[test]
    fn a_city_is_asked_for_once_and_not_too_many_are() {
        let _http = testing::http(service);
        assert_eq!(cards(&testing::run(handle, asking(&["Pune", " pune ", "", "PUNE"]))).len(), 1);
        let many = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let run = testing::run(handle, asking(&many));
        assert_eq!(cards(&run).len(), MAX_CITIES);
        assert_eq!(run.texts(), ["I look up 6 cities at a time."]);
        assert!(testing::run(handle, asking(&many[..MAX_CITIES])).texts().is_empty());
    }

    #[test]
    fn the_example_event_is_answered_and_an_empty_one_asks() {
        let _http = testing::http(|_| Response::of_json(200, &json!({ "sky": "clear", "celsius": 20 })));
        assert_eq!(cards(&testing::run(handle, testing::event_file("event.json")))[1], ["दिल्ली", "20 °C", "clear"]);
        let run = testing::run(handle, asking(&[]));
        assert_eq!(run.texts(), ["The weather of which cities?"]);
        assert!(!run.reply().succeeded());
    }
}
