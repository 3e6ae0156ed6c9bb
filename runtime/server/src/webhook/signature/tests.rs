use proptest::prelude::*;
use serde_json::Value;

use super::*;

mod timing;

const BODY: &[u8] = br#"{"node":"PRODUCT_PRICE","event":"API_INTEGRATION"}"#;
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../../tests/fixtures/signatures.json")).unwrap()
}

/// One vector of the hub schemes.
struct Hub {
    name: String,
    secret: Secret,
    body: String,
    header: HeaderName,
    value: String,
}

fn hub_vectors() -> Vec<Hub> {
    let vectors = vectors();
    let text = |vector: &Value, key: &str| vector[key].as_str().map(str::to_owned);
    let read = |vector: &Value| {
        let key =
            text(vector, "key").map_or_else(|| hex::decode(text(vector, "key_hex").unwrap()).unwrap(), Into::into);
        Hub {
            name: text(vector, "name").unwrap(),
            secret: Secret::from_bytes(key, None).unwrap(),
            body: text(vector, "body").unwrap(),
            header: text(vector, "header").unwrap().parse().unwrap(),
            value: text(vector, "value").unwrap(),
        }
    };
    vectors["hub"].as_array().unwrap().iter().map(read).collect()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn verifier(schemes: &[Scheme], secrets: &[&str]) -> Verifier {
    let secrets: Vec<_> = secrets.iter().map(|text| secret(text)).collect();
    Verifier::new(schemes, &secrets, false).unwrap()
}

fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
    let field = |(name, value): &(HeaderName, &str)| (name.clone(), HeaderValue::from_str(value).unwrap());
    let mut map = HeaderMap::new();
    fields.iter().map(field).for_each(|(name, value)| {
        map.append(name, value);
    });
    map
}

fn signed(scheme: Scheme, text: &str, body: &[u8]) -> HeaderMap {
    sign(scheme, &secret(text), body, "msg_1", at(1000)).unwrap().into_iter().collect()
}

fn hub_value(scheme: Scheme, text: &str, body: &[u8]) -> String {
    signed(scheme, text, body).values().next().unwrap().to_str().unwrap().to_owned()
}

/// Whether a node that accepts sha1 under `test` takes these headers for `BODY`.
fn judge(fields: &[(HeaderName, &str)]) -> Result<Scheme, SignatureError> {
    let map = headers(fields);
    let verified = verifier(&[Scheme::Sha1, Scheme::Sha256], &["test"]).verify(&map, BODY, at(1000))?;
    match verified {
        Verified::Signed { scheme, .. } => Ok(scheme),
        Verified::Unsigned => panic!("not an open node"),
    }
}

#[test]
fn every_vector_verifies_and_is_what_we_would_send() {
    for vector in hub_vectors() {
        let scheme = if vector.header == HUB { Scheme::Sha1 } else { Scheme::Sha256 };
        let map = headers(&[(vector.header.clone(), &vector.value)]);
        let verifier = Verifier::new(&[scheme], std::slice::from_ref(&vector.secret), false).unwrap();
        let expected = Ok(Verified::Signed { scheme, secret: 0, id: None });
        assert_eq!(verifier.verify(&map, vector.body.as_bytes(), at(0)), expected, "{}", vector.name);
        let sent: HeaderMap =
            sign(scheme, &vector.secret, vector.body.as_bytes(), "", at(0)).unwrap().into_iter().collect();
        assert_eq!(sent, map, "{}", vector.name);
    }
}

#[test]
fn every_digest_verifies_its_own_body_only() {
    let vectors = hub_vectors();
    for (at_one, one) in vectors.iter().enumerate() {
        let verifier = Verifier::new(&Scheme::ALL, std::slice::from_ref(&one.secret), false).unwrap();
        for (at_other, other) in vectors.iter().enumerate() {
            let map = headers(&[(other.header.clone(), &other.value)]);
            let got = verifier.verify(&map, one.body.as_bytes(), at(0));
            let same = (&one.body, &one.secret) == (&other.body, &other.secret);
            assert_eq!(got.is_ok(), same || at_one == at_other, "{} / {}", one.name, other.name);
        }
    }
}

#[test]
fn the_standard_vector_verifies_within_its_tolerance() {
    let vectors = vectors();
    let vector = &vectors["standard"][0];
    let text = |key: &str| vector[key].as_str().unwrap();
    let (sent, body) = (vector["timestamp"].as_u64().unwrap(), text("body").as_bytes());
    let map = headers(&[(ID, text("id")), (TIMESTAMP, &sent.to_string()), (SIGNATURE, text("value"))]);
    let verifier = verifier(&[Scheme::Standard], &[text("secret")]);
    let expected = Ok(Verified::Signed { scheme: Scheme::Standard, secret: 0, id: Some(text("id")) });
    for now in [sent, sent - 300, sent + 300] {
        assert_eq!(verifier.verify(&map, body, at(now)), expected);
    }
    for now in [sent - 301, sent + 301, 0] {
        assert_eq!(verifier.verify(&map, body, at(now)), Err(SignatureError::Wrong));
    }
    let ours = sign(Scheme::Standard, &secret(text("secret")), body, text("id"), at(sent)).unwrap();
    assert_eq!(ours.into_iter().collect::<HeaderMap>(), map);
}

#[test]
fn the_negative_cases_of_the_hub_schemes() {
    let good = hub_value(Scheme::Sha1, "test", BODY);
    let (upper, digits) = (good.to_uppercase(), good.strip_prefix("sha1=").unwrap());
    let sha256 = hub_value(Scheme::Sha256, "test", BODY);
    let mut spaced = serde_json::to_string_pretty(&serde_json::from_slice::<Value>(BODY).unwrap()).unwrap();
    let reserialised = hub_value(Scheme::Sha1, "test", spaced.as_bytes());
    spaced.push('\n');
    let wrong = [
        ("no prefix", digits.to_owned()),
        ("an upper-case prefix", format!("SHA1={digits}")),
        ("all in upper case", upper),
        ("39 digits", good[..good.len() - 1].to_owned()),
        ("41 digits", format!("{good}0")),
        ("42 digits", format!("{good}00")),
        ("no hex", format!("{}g", &good[..good.len() - 1])),
        ("nothing", String::new()),
        ("nothing after the prefix", "sha1=".to_owned()),
        ("a list", format!("{good},{good}")),
        ("space before", format!("sha1= {digits}")),
        ("sha256's digest", sha256.replace("sha256=", "sha1=")),
        ("sha256's header value", sha256.clone()),
        ("the body in other words", reserialised),
        ("another secret", hub_value(Scheme::Sha1, "Test", BODY)),
        ("not ASCII", format!("{}é", &good[..good.len() - 2])),
    ];
    for (case, value) in wrong {
        let map: HeaderMap = [(HUB, HeaderValue::from_bytes(value.as_bytes()).unwrap())].into_iter().collect();
        let verdict = verifier(&[Scheme::Sha1], &["test"]).verify(&map, BODY, at(1000));
        assert_eq!(verdict, Err(SignatureError::Wrong), "{case}");
    }
    assert_eq!(judge(&[(HUB, &good)]), Ok(Scheme::Sha1));
    assert_eq!(judge(&[(HUB, &format!("sha1={}", digits.to_uppercase()))]), Ok(Scheme::Sha1), "upper-case digits");
    assert_eq!(judge(&[]), Err(SignatureError::Wrong));
}

#[test]
fn a_signature_of_the_body_before_it_was_compressed_is_wrong() {
    let compressed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let map = signed(Scheme::Sha256, "test", BODY);
    let verdict = verifier(&[Scheme::Sha256], &["test"]).verify(&map, &compressed, at(1000));
    assert_eq!(verdict, Err(SignatureError::Wrong));
}

#[test]
fn a_header_given_twice_is_refused_before_anything_is_checked() {
    let good = hub_value(Scheme::Sha1, "test", BODY);
    assert_eq!(judge(&[(HUB, &good), (HUB, &good)]), Err(SignatureError::Duplicate));
    assert_eq!(judge(&[(HUB, &good), (HUB, "sha1=")]), Err(SignatureError::Duplicate));
    let open = Verifier::new(&[], &[], true).unwrap();
    for name in [HUB, HUB_256, ID, TIMESTAMP, SIGNATURE] {
        let map = headers(&[(name.clone(), "x"), (name, "x")]);
        assert_eq!(open.verify(&map, BODY, at(0)), Err(SignatureError::Duplicate));
        assert_eq!(Verifier::decoy().verify(&map, BODY, at(0)), Err(SignatureError::Duplicate));
    }
}

#[test]
fn each_hub_header_must_be_right_and_one_of_an_accepted_scheme() {
    let (sha1, sha256) = (hub_value(Scheme::Sha1, "test", BODY), hub_value(Scheme::Sha256, "test", BODY));
    assert_eq!(judge(&[(HUB, &sha1), (HUB_256, &sha256)]), Ok(Scheme::Sha256));
    assert_eq!(judge(&[(HUB, &sha1), (HUB_256, "sha256=00")]), Err(SignatureError::Wrong));
    assert_eq!(judge(&[(HUB, "sha1=00"), (HUB_256, &sha256)]), Err(SignatureError::Wrong));

    let strict = verifier(&[Scheme::Sha256], &["test"]);
    let downgraded = headers(&[(HUB, &sha1)]);
    assert_eq!(strict.verify(&downgraded, BODY, at(0)), Err(SignatureError::Wrong));
    let both = headers(&[(HUB, &sha1), (HUB_256, &sha256)]);
    assert!(strict.verify(&both, BODY, at(0)).is_ok());
    let half = headers(&[(HUB, "sha1=00"), (HUB_256, &sha256)]);
    assert_eq!(strict.verify(&half, BODY, at(0)), Err(SignatureError::Wrong));
}

#[test]
fn standard_messages_are_judged_only_where_they_are_accepted() {
    let mut map = signed(Scheme::Standard, WHSEC, BODY);
    let none = verifier(&[Scheme::Sha1], &[WHSEC]);
    assert_eq!(none.verify(&map, BODY, at(1000)), Err(SignatureError::Wrong));
    map.extend(signed(Scheme::Sha1, WHSEC, BODY));
    assert!(none.verify(&map, b"", at(1000)).is_err());
    assert!(none.verify(&map, BODY, at(1000)).is_ok());
    assert!(none.verify(&map, BODY, at(9999)).is_ok(), "the timestamp belongs to a scheme that is not accepted");
    let all = verifier(&Scheme::ALL, &[WHSEC]);
    let verified = all.verify(&map, BODY, at(1000));
    assert_eq!(verified, Ok(Verified::Signed { scheme: Scheme::Standard, secret: 0, id: Some("msg_1") }));
    assert_eq!(all.verify(&map, BODY, at(9999)), Err(SignatureError::Wrong));
}

#[test]
fn a_standard_message_may_list_signatures_of_several_keys_and_versions() {
    let map = signed(Scheme::Standard, WHSEC, BODY);
    let good = map[SIGNATURE].to_str().unwrap();
    let verifier = verifier(&[Scheme::Standard], &[WHSEC]);
    let judge = |listed: &str| {
        let map = headers(&[(ID, "msg_1"), (TIMESTAMP, "1000"), (SIGNATURE, listed)]);
        verifier.verify(&map, BODY, at(1000)).is_ok()
    };
    let other = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(judge(good));
    assert!(judge(&format!("v1a,xyz {other} {good} v2,abc")));
    assert!(judge(&format!("{}{good}", "v0,x ".repeat(MAX_LISTED - 1))));
    assert!(!judge(&format!("{}{good}", "v0,x ".repeat(MAX_LISTED))));
    for bad in [other, "", "v1,", "v1", &good[3..], &good.replace("v1,", "V1,"), &good.replace("v1,", "v2,")] {
        assert!(!judge(bad), "{bad}");
    }
    assert!(!judge(&format!("v1,{}", good[3..].repeat(20))));
    assert!(!judge(good.trim_end_matches('=')));
    assert!(!judge(&good.replace("v1,", "v1, ")));
}

#[test]
fn a_standard_message_needs_its_id_and_a_plain_timestamp() {
    let map = signed(Scheme::Standard, WHSEC, BODY);
    let verifier = verifier(&[Scheme::Standard], &[WHSEC]);
    let without = |name: HeaderName| {
        let mut map = map.clone();
        map.remove(name);
        verifier.verify(&map, BODY, at(1000)).is_ok()
    };
    assert!(!without(ID) && !without(TIMESTAMP) && !without(SIGNATURE));
    for timestamp in ["+1000", "01000", "1000.0", "1e3", "-1000", "", "99999999999999999999", "18446744073709551615"] {
        let mut map = map.clone();
        map.insert(TIMESTAMP, HeaderValue::from_static(timestamp));
        assert!(verifier.verify(&map, BODY, at(1000)).is_err(), "{timestamp}");
    }
    for id in ["msg_2", "", "msg 1"] {
        let mut map = map.clone();
        map.insert(ID, HeaderValue::from_static(id));
        assert!(verifier.verify(&map, BODY, at(1000)).is_err(), "{id}");
    }
}

#[test]
fn two_secrets_are_live_while_one_takes_over_from_the_other() {
    let both = verifier(&Scheme::ALL, &["new", "old"]);
    let after = verifier(&Scheme::ALL, &["new"]);
    for scheme in [Scheme::Sha1, Scheme::Sha256] {
        let (new, old) = (signed(scheme, "new", BODY), signed(scheme, "old", BODY));
        assert_eq!(both.verify(&new, BODY, at(0)), Ok(Verified::Signed { scheme, secret: 0, id: None }));
        assert_eq!(both.verify(&old, BODY, at(0)), Ok(Verified::Signed { scheme, secret: 1, id: None }));
        assert!(after.verify(&new, BODY, at(0)).is_ok());
        assert_eq!(after.verify(&old, BODY, at(0)), Err(SignatureError::Wrong));
    }
    let rotated = verifier(&[Scheme::Sha1, Scheme::Standard], &[WHSEC, "plain"]);
    assert!(rotated.verify(&signed(Scheme::Standard, WHSEC, BODY), BODY, at(1000)).is_ok());
    assert!(rotated.verify(&signed(Scheme::Sha1, "plain", BODY), BODY, at(1000)).is_ok());
}

#[test]
fn without_secrets_only_an_open_node_takes_requests() {
    let empty = HeaderMap::new();
    let map = signed(Scheme::Sha1, "test", BODY);
    let (open, shut) = (Verifier::new(&[], &[], true).unwrap(), Verifier::new(&Scheme::ALL, &[], false).unwrap());
    for map in [&empty, &map] {
        assert_eq!(open.verify(map, BODY, at(0)), Ok(Verified::Unsigned));
        assert_eq!(shut.verify(map, BODY, at(0)), Err(SignatureError::Wrong));
    }
    let signed_only = Verifier::new(&[Scheme::Sha1], &[secret("test")], true).unwrap();
    assert_eq!(signed_only.verify(&empty, BODY, at(0)), Err(SignatureError::Wrong), "a secret closes the node");
}

#[test]
fn a_decoy_takes_nothing_not_even_what_its_own_key_signed() {
    let key = Secret::from_bytes(vec![0; 32], None).unwrap();
    for scheme in [Scheme::Sha1, Scheme::Sha256] {
        let map: HeaderMap = sign(scheme, &key, BODY, "", at(0)).unwrap().into_iter().collect();
        assert_eq!(Verifier::decoy().verify(&map, BODY, at(0)), Err(SignatureError::Wrong));
    }
}

#[test]
fn secrets_and_verifiers_that_could_not_work_are_refused() {
    assert_eq!(Secret::new(""), Err(SecretError::Empty));
    assert_eq!(Secret::new("whsec_"), Err(SecretError::Empty));
    assert_eq!(Secret::new("whsec_***"), Err(SecretError::NotBase64));
    let (plain, whsec) = (secret("plain"), secret(WHSEC));
    let new = |schemes: &[Scheme], secrets: &[Secret]| Verifier::new(schemes, secrets, false).map(drop);
    assert_eq!(new(&[], std::slice::from_ref(&plain)), Err(SecretError::NoScheme));
    assert_eq!(new(&[Scheme::Standard], &[whsec.clone(), plain.clone()]), Err(SecretError::NotStandard));
    assert_eq!(new(&[Scheme::Standard, Scheme::Sha1], std::slice::from_ref(&plain)), Ok(()));
    assert_eq!(new(&Scheme::ALL, &[plain.clone(), plain.clone(), plain.clone()]), Err(SecretError::TooMany));
    assert_eq!(sign(Scheme::Standard, &plain, b"", "msg_1", at(0)), Err(SecretError::NotStandard));
    for id in ["", "a b", "a\nb", &"x".repeat(MAX_ID_BYTES + 1)] {
        assert_eq!(sign(Scheme::Standard, &whsec, b"", id, at(0)), Err(SecretError::BadId));
    }
}

#[test]
fn no_secret_is_ever_printed() {
    let printed = format!("{:?} {:?}", secret("hunter2"), verifier(&Scheme::ALL, &["hunter2"]));
    assert!(!printed.contains("hunter2"), "{printed}");
    assert!(!printed.contains("104"), "{printed}");
}

#[test]
fn schemes_are_read_by_their_names() {
    for scheme in Scheme::ALL {
        assert_eq!(scheme.name().parse(), Ok(scheme));
        assert_eq!(serde_json::to_value(scheme).unwrap(), scheme.name());
    }
    assert!("SHA1".parse::<Scheme>().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_change_to_a_signed_request_is_accepted(
        body in prop::collection::vec(any::<u8>(), 0..80),
        scheme in prop::sample::select(&Scheme::ALL[..]),
        position in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        in_header in any::<bool>(),
    ) {
        let mut map = signed(scheme, WHSEC, &body);
        let verifier = verifier(&Scheme::ALL, &[WHSEC]);
        prop_assert!(verifier.verify(&map, &body, at(1000)).is_ok());
        let mut changed = body.clone();
        if in_header || body.is_empty() {
            let name = [HUB, HUB_256, SIGNATURE].into_iter().find(|name| map.contains_key(name)).unwrap();
            let mut value = map[&name].as_bytes().to_vec();
            let at = position.index(value.len());
            value[at] ^= 1 << bit;
            let digits = value.iter().position(|byte| *byte == b'=').unwrap_or(0);
            let case_of_a_digit = scheme != Scheme::Standard && at > digits && value[at].is_ascii_alphabetic();
            prop_assume!(bit != 5 || !case_of_a_digit);
            let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
            map.insert(name, value);
        } else {
            changed[position.index(body.len())] ^= 1 << bit;
        }
        prop_assert_eq!(verifier.verify(&map, &changed, at(1000)), Err(SignatureError::Wrong));
    }

    #[test]
    fn no_shortened_or_lengthened_body_is_accepted(body in prop::collection::vec(any::<u8>(), 1..80), byte: u8) {
        let map = signed(Scheme::Sha1, "test", &body);
        let verifier = verifier(&[Scheme::Sha1], &["test"]);
        prop_assert!(verifier.verify(&map, &body[1..], at(0)).is_err());
        prop_assert!(verifier.verify(&map, &body[..body.len() - 1], at(0)).is_err());
        prop_assert!(verifier.verify(&map, &[&body[..], &[byte]].concat(), at(0)).is_err());
    }

    #[test]
    fn no_header_that_nobody_signed_is_accepted(value in "(sha1=|sha256=|v1,)?[0-9a-f]{0,70}") {
        for name in [HUB, HUB_256] {
            prop_assert_eq!(judge(&[(name, &value)]), Err(SignatureError::Wrong));
        }
    }
}
