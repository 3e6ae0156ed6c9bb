use super::*;
use crate::testing;

#[test]
fn a_query_is_escaped() {
    let request = Request::get("https://a.example/x").query("naïve key", "a&b=c d").query("n", 7);
    assert_eq!(request.url(), "https://a.example/x?na%C3%AFve%20key=a%26b%3Dc%20d&n=7");
    let request = Request::get("https://a.example/#top?").query("a", 1).query("b", 2);
    assert_eq!(request.url(), "https://a.example/?a=1&b=2#top?");
    assert_eq!(Request::get("https://a.example/?").query("a", 1).url(), "https://a.example/?a=1");
}

#[test]
fn a_request_is_shown_without_what_is_secret_and_names_its_grant() {
    for (url, shown, origin) in [
        ("https://user:pass@A.example/x?token=1", "GET https://A.example/x", "https://user:pass@a.example"),
        ("https://a.example:8443/users/@me#top", "GET https://a.example:8443/users/@me", "https://a.example:8443"),
        ("user:pass@a.example/x?y", "GET a.example/x", "user:pass@a.example"),
        ("http://[::1]?y", "GET http://[::1]", "http://[::1]"),
    ] {
        let request = Request::get(url);
        assert_eq!((request.shown().as_str(), request.origin().as_str()), (shown, origin));
    }
}

#[test]
fn a_password_in_a_url_is_never_sent() {
    let _http = testing::http(|_| Response::new(200));
    let refused = Request::get("https://user:pass@a.example/x").send().unwrap_err();
    assert!(matches!(&refused, Error::Invalid(why) if why.starts_with("GET https://a.example/x: its URL holds")));
}

#[test]
fn an_error_says_whose_it_is_and_shows_no_query() {
    let refused = Request::get("https://a.example/x?token=secret").send().unwrap_err().to_string();
    assert!(refused.contains("GET https://a.example/x:") && !refused.contains("secret"), "{refused}");
    assert!(Response::new(503).checked().unwrap_err().to_string().starts_with(UPSTREAM));
    assert!(!Response::new(404).checked().unwrap_err().to_string().starts_with(UPSTREAM));
    assert!(Error::TimedOut("late".to_owned()).to_string().starts_with(UPSTREAM));
}

#[test]
fn all_are_answered_in_their_order() {
    let _http = testing::http(|request| Response::of_json(200, &request.url().len()));
    let answers = all(["https://a.example/", "https://aa.example/"].map(Request::get));
    let lengths: Vec<usize> = answers.into_iter().map(|answer| answer.unwrap().json().unwrap()).collect();
    assert_eq!(lengths, [18, 19]);
}

#[test]
fn what_cannot_be_json_is_never_sent() {
    let _http = testing::http(|_| Response::new(200));
    let map: std::collections::HashMap<(u8, u8), u8> = [((1, 2), 3)].into();
    assert!(matches!(Request::post("https://a.example/").json(&map).send(), Err(Error::Invalid(_))));
}
