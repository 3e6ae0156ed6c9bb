use proptest::prelude::*;

use super::*;

/// The outcome of `reads`, with offsets from the start of the connection.
fn follow<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> (Scanner, Result<(), Violation>) {
    let mut scanner = Scanner::new();
    let mut before = 0;
    for read in reads {
        if let Err(violation) = scanner.scan(read) {
            return (scanner, Err(Violation { at: before + violation.at, ..violation }));
        }
        before += read.len();
    }
    (scanner, Ok(()))
}

/// The outcome of `input`, which must not hang on how it is cut into reads.
fn outcome(input: &[u8]) -> (Scanner, Result<(), Violation>) {
    let (whole, expected) = follow([input]);
    assert_eq!(follow(input.chunks(1)).1, expected, "byte by byte: {}", input.escape_ascii());
    for cut in 0..=input.len() {
        let (left, right) = input.split_at(cut);
        let (scanner, got) = follow([left, right]);
        assert_eq!(got, expected, "cut at {cut}: {}", input.escape_ascii());
        assert_eq!(scanner.state, whole.state);
    }
    (whole, expected)
}

fn head(fields: &str) -> Vec<u8> {
    format!("POST /hooks/t/n HTTP/1.1\r\nHost: x\r\n{fields}\r\n").into_bytes()
}

fn chunked(body: &str) -> Vec<u8> {
    [head("Transfer-Encoding: chunked\r\n"), body.as_bytes().to_vec()].concat()
}

#[test]
fn whole_requests_pass_and_end_where_the_next_one_begins() {
    let bodies = "0123456789".repeat(40);
    let requests = [
        head(""),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        b"GET / HTTP/1.0\r\nHost: x\r\n\r\n".to_vec(),
        b"\r\nGET /?a=b HTTP/1.1\r\nhOST:x\r\n\r\n".to_vec(),
        head("Content-Length: 0\r\n"),
        [head("content-length:5\r\n"), b"hello".to_vec()].concat(),
        head("Empty:\r\nTabs: \ta\tb\t\r\nObs: \u{e9}\r\nContent-Lengthy: x\r\nHosts: y\r\nTransfer-Encodin: z\r\n"),
        [head("Content-Length:  \t 0400 \t\r\n"), bodies.into_bytes()].concat(),
        chunked("0\r\n\r\n"),
        chunked("5\r\nhello\r\n00a;name=\"v\"\r\n\r\n\n\r\r23456\r\n0;last\r\n\r\n"),
        chunked("F\r\n123456789012345\r\n0\r\nDigest: abc\r\nOther:\r\n\r\n"),
        [head("transfer-encoding: \tchunked \t\r\n"), b"1\r\n\n\r\n0\r\n\r\n".to_vec()].concat(),
        chunked(&format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(EXTENSION_BYTES))),
    ];
    for request in &requests {
        let (scanner, got) = outcome(request);
        assert_eq!(got, Ok(()), "{}", request.escape_ascii());
        assert!(scanner.between_messages(), "{:?} {}", scanner, request.escape_ascii());
        assert_eq!(scanner.heads, 1);
    }
    let (scanner, got) = follow([&requests.concat()[..]]);
    assert_eq!(got, Ok(()));
    assert!(scanner.between_messages());
    assert_eq!(scanner.heads, requests.len() as u64);
}

#[test]
fn a_head_is_open_from_its_first_byte_to_its_last() {
    let request = [head("Content-Length: 2\r\n"), b"ab".to_vec()].concat();
    let twice = [&request[..], &request[..]].concat();
    let mut scanner = Scanner::new();
    for (at, byte) in twice.iter().enumerate() {
        scanner.scan(&[*byte]).unwrap();
        let within = (at % request.len()) + 1;
        let expected = (within < request.len() - 2).then_some((at / request.len()) as u64);
        assert_eq!(scanner.open_head(), expected, "after byte {at}");
    }
}

#[test]
fn framing_that_two_parsers_could_read_differently_is_refused() {
    let with = |fields: &str| String::from_utf8(head(fields)).unwrap();
    let cases = [
        (with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), Rule::LengthAndCoding),
        (with("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), Rule::LengthAndCoding),
        (with("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), Rule::LengthAndCoding),
        (with("Content-Length: 1\r\nContent-Length: 1\r\n"), Rule::Length),
        (with("Content-Length: 1\r\nA: b\r\ncontent-length: 2\r\n"), Rule::Length),
        (with("Content-Length: 0\r\nContent-Length: 0\r\n"), Rule::Length),
        (with("Content-Length: 1, 1\r\n"), Rule::Length),
        (with("Content-Length: +1\r\n"), Rule::Length),
        (with("Content-Length: -1\r\n"), Rule::Length),
        (with("Content-Length: 1 1\r\n"), Rule::Length),
        (with("Content-Length: 0x10\r\n"), Rule::Length),
        (with("Content-Length:\r\n"), Rule::Length),
        (with("Content-Length:  \r\n"), Rule::Length),
        (with("Content-Length: 18446744073709551616\r\n"), Rule::Length),
        (with("Content-Length: 1\n"), Rule::Length),
        (with("Transfer-Encoding: xchunked\r\n"), Rule::Coding),
        (with("Transfer-Encoding: chunkedx\r\n"), Rule::Coding),
        (with("Transfer-Encoding: chunke\r\n"), Rule::Coding),
        (with("Transfer-Encoding: Chunked\r\n"), Rule::Coding),
        (with("Transfer-Encoding: chunked, identity\r\n"), Rule::Coding),
        (with("Transfer-Encoding: identity, chunked\r\n"), Rule::Coding),
        (with("Transfer-Encoding: \"chunked\"\r\n"), Rule::Coding),
        (with("Transfer-Encoding: chunked chunked\r\n"), Rule::Coding),
        (with("Transfer-Encoding: \u{b}chunked\r\n"), Rule::Coding),
        (with("Transfer-Encoding: chunked\u{0}\r\n"), Rule::Coding),
        (with("Transfer-Encoding: gzip\r\n"), Rule::Coding),
        (with("Transfer-Encoding:\r\n"), Rule::Coding),
        (with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), Rule::Coding),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(), Rule::Coding),
        ("GET / HTTP/1.1\r\n\r\n".into(), Rule::Host),
        (with("Host: x\r\n"), Rule::Host),
        (with("host: y\r\n"), Rule::Host),
        ("GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n".into(), Rule::Host),
    ];
    refused(&cases);
}

#[test]
fn lines_that_two_parsers_could_read_differently_are_refused() {
    let with = |fields: &str| String::from_utf8(head(fields)).unwrap();
    let cases = [
        (with("A: b\n"), Rule::LineEnd),
        (with("A: b\rc\r\n"), Rule::LineEnd),
        (with("A: b\r\r\n"), Rule::LineEnd),
        ("GET / HTTP/1.1\nHost: x\n\n".into(), Rule::RequestLine),
        ("GET / HTTP/1.1\r\nHost: x\r\n\n".into(), Rule::LineEnd),
        ("GET / HTTP/1.1\r\nHost: x\r\n\rX".into(), Rule::LineEnd),
        ("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("\rGET / HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::LineEnd),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        (with("A: b\r\n c\r\n"), Rule::Folded),
        (with("A: b\r\n\tc\r\n"), Rule::Folded),
        ("GET / HTTP/1.1\r\n Host: x\r\n\r\n".into(), Rule::Folded),
        (with("A : b\r\n"), Rule::FieldName),
        (with("Content-Length : 1\r\n"), Rule::FieldName),
        (with("Content-Length\t: 1\r\n"), Rule::FieldName),
        (with("Content-Length\u{0}: 1\r\n"), Rule::FieldName),
        (with("Content-Length\r\n"), Rule::FieldName),
        (with(": b\r\n"), Rule::FieldName),
        ("GET http://other/ HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("GET //other/ HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n".into(), Rule::Host),
        ("GET x:443 HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("CONNECT /x HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("GET /  HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("GET / HTTP/1.1 \r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("GET / HTTP/1.2\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("GET / HTTP/2.0\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("GET / http/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
        ("GET /\r\n".into(), Rule::RequestLine),
        (" GET / HTTP/1.1\r\nHost: x\r\n\r\n".into(), Rule::RequestLine),
    ];
    refused(&cases);
}

fn refused(heads: &[(String, Rule)]) {
    for (input, rule) in heads {
        let (_, got) = outcome(input.as_bytes());
        let violation = got.expect_err(input);
        assert_eq!((violation.rule, violation.part), (*rule, Part::Head), "{input:?}");
    }
}

#[test]
fn what_two_parsers_could_read_differently_in_a_chunked_body_is_refused() {
    let long = format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(EXTENSION_BYTES + 1));
    let cases = [
        ("5\nhello\r\n0\r\n\r\n", Rule::ChunkSize),
        ("5\r\nhello\n0\r\n\r\n", Rule::LineEnd),
        ("5\r\nhello0\r\n\r\n", Rule::LineEnd),
        ("5\r\nhello\rX", Rule::LineEnd),
        ("5\rhello\r\n0\r\n\r\n", Rule::LineEnd),
        ("5;a\nb\r\nhello\r\n0\r\n\r\n", Rule::LineEnd),
        ("5;a\rb\r\nhello\r\n0\r\n\r\n", Rule::LineEnd),
        (&long, Rule::ChunkSize),
        ("5 \r\nhello\r\n0\r\n\r\n", Rule::ChunkSize),
        (" 5\r\nhello\r\n0\r\n\r\n", Rule::ChunkSize),
        ("5 ;a\r\nhello\r\n0\r\n\r\n", Rule::ChunkSize),
        ("0x5\r\nhello\r\n0\r\n\r\n", Rule::ChunkSize),
        ("-5\r\nhello\r\n0\r\n\r\n", Rule::ChunkSize),
        ("\r\nhello\r\n0\r\n\r\n", Rule::ChunkSize),
        (";a\r\nhello\r\n0\r\n\r\n", Rule::ChunkSize),
        ("00000000000000005\r\nhello\r\n0\r\n\r\n", Rule::ChunkSize),
        ("0\r\nA: b\n\r\n", Rule::LineEnd),
        ("0\r\n\n", Rule::LineEnd),
        ("0\r\n A: b\r\n\r\n", Rule::Folded),
        ("0\r\nA: b\r\n c\r\n\r\n", Rule::Folded),
        ("0\r\nA : b\r\n\r\n", Rule::FieldName),
        ("0\r\nHost: x\r\n\r\n", Rule::Trailer),
        ("0\r\ncontent-length: 1\r\n\r\n", Rule::Trailer),
        ("0\r\nTransfer-Encoding: chunked\r\n\r\n", Rule::Trailer),
        ("0\r\nGET / HTTP/1.1\r\n", Rule::FieldName),
    ];
    for (body, rule) in cases {
        let (_, got) = outcome(&chunked(body));
        let violation = got.expect_err(body);
        assert_eq!((violation.rule, violation.part), (rule, Part::Body), "{body:?}");
    }
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let fields = prop::collection::vec(("x-[a-z]{1,12}", "[ -~]{0,40}"), 0..4);
    let data = prop::collection::vec(any::<u8>(), 0..64);
    let body = prop_oneof![
        Just(None),
        data.clone().prop_map(|data| Some((false, vec![data]))),
        prop::collection::vec(data, 0..4).prop_map(|chunks| Some((true, chunks))),
    ];
    ("/[a-zA-Z0-9/?=&%._-]{0,30}", fields, body).prop_map(|(target, fields, body)| {
        let mut text = format!("POST {target} HTTP/1.1\r\nHost: h\r\n");
        fields.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        let mut bytes = text.into_bytes();
        match body {
            None => bytes.extend(b"\r\n"),
            Some((false, data)) => {
                bytes.extend(format!("content-length: {}\r\n\r\n", data[0].len()).as_bytes());
                bytes.extend(&data[0]);
            }
            Some((true, chunks)) => {
                bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n\r\n");
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn a_stream_of_valid_requests_passes_however_it_is_cut(
        requests in prop::collection::vec(request(), 1..5),
        sizes in prop::collection::vec(1_usize..50, 1..20),
    ) {
        let stream = requests.concat();
        let mut reads = Vec::new();
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            let (read, after) = rest.split_at((*size).min(rest.len()));
            reads.push(read);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let (scanner, got) = follow(reads);
        prop_assert_eq!(got, Ok(()));
        prop_assert!(scanner.between_messages());
        prop_assert_eq!(scanner.heads, requests.len() as u64);
    }

    #[test]
    fn no_input_makes_it_panic_or_depend_on_the_cuts(input in prop::collection::vec(any::<u8>(), 0..200)) {
        for stream in [input.clone(), [&head("")[..], &input].concat(), [&chunked("")[..], &input].concat()] {
            drop(outcome(&stream));
        }
    }
}
