use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

fn post(length: usize, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_connection_is_kept_and_pipelined_requests_are_answered_in_order() {
    let host = Host::start(Settings::default());
    let mut stream = host.connect().await;
    let three = [&post(2, "hi"), CHUNKED, "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nA: b\r\n\r\n", GET].concat();
    for round in 0..3 {
        stream.write_all(three.as_bytes()).await.unwrap();
        assert!(until(&mut stream, "got:hi.").await.starts_with("HTTP/1.1 200 OK\r\n"), "{round}");
        assert!(until(&mut stream, "got:abcd.").await.starts_with("HTTP/1.1 200 OK\r\n"), "{round}");
        assert!(until(&mut stream, "got:.").await.starts_with("HTTP/1.1 200 OK\r\n"), "{round}");
    }
}

#[tokio::test]
async fn requests_arrive_however_the_network_cuts_them() {
    let host = Host::start(Settings::default());
    let mut stream = host.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in [&post(2, "hi"), CHUNKED, "3\r\nabc\r\n0\r\n\r\n"].concat().as_bytes() {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    until(&mut stream, "got:hi.").await;
    until(&mut stream, "got:abc.").await;
}

#[tokio::test]
async fn a_head_that_two_parsers_could_read_differently_is_answered_with_400_and_closed() {
    let host = Host::start(Settings::default());
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let heads = [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET http://other/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ];
    for head in heads {
        let alone = host.exchange([head, smuggled].concat()).await;
        assert_eq!(statuses(&alone), ["400"], "{head:?}: {alone}");
        assert!(alone.contains("connection: close\r\n"), "{alone}");
        let after_others = host.exchange([&post(2, "hi"), GET, head, smuggled].concat()).await;
        assert_eq!(statuses(&after_others), ["200", "200", "400"], "{head:?}: {after_others}");
        let in_pieces = trickle(&host, head).await;
        assert_eq!(statuses(&in_pieces), ["400"], "{head:?}: {in_pieces}");
    }
}

/// What comes back when each byte of `input` is sent alone; what is refused early may not be wanted to the end.
async fn trickle(host: &Host, input: &str) -> String {
    let mut stream = host.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in input.as_bytes() {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    rest(&mut stream).await
}

#[tokio::test]
async fn a_bad_head_does_not_cost_the_answer_to_a_slow_request_before_it() {
    let host = Host::start(Settings::default());
    let slow = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";
    let answers = host.exchange([slow, "GET / HTTP/1.1\n\n", GET].concat()).await;
    assert_eq!(statuses(&answers), ["200", "400"], "{answers}");
    host.begun().await;

    let mut stream = host.connect().await;
    stream.write_all(slow.as_bytes()).await.unwrap();
    host.begun().await;
    stream.write_all(b"GET / HTTP/1.1\n\n").await.unwrap();
    assert_eq!(statuses(&rest(&mut stream).await), ["200", "400"]);

    let answers = host.exchange([slow, CHUNKED, "5 \r\nhello\r\n0\r\n\r\n", GET].concat()).await;
    assert_eq!(statuses(&answers), ["200", "400"], "{answers}");
}

#[tokio::test]
async fn a_chunked_body_that_two_parsers_could_read_differently_breaks_the_request() {
    let host = Host::start(Settings::default());
    for body in
        ["2;a\nb\r\nhi\r\n0\r\n\r\n", "2\nhi\r\n0\r\n\r\n", "2\r\nhi\n0\r\n\r\n", "2\r\nhi\r\n0\r\nHost: y\r\n\r\n"]
    {
        let answers = host.exchange([CHUNKED, body, GET].concat()).await;
        assert_eq!(statuses(&answers), ["400"], "{body:?}: {answers}");
        assert!(answers.ends_with("broken"), "{answers}");
    }
    let ends_early = post(5, "hi");
    let mut stream = host.connect().await;
    stream.write_all(ends_early.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(!rest(&mut stream).await.contains("200 OK"));
}

#[tokio::test]
async fn heads_over_the_limits_are_refused() {
    let host = Host::start(Settings { max_head_bytes: 16 << 10, ..Settings::default() });
    let fields = |count: usize| "A: b\r\n".repeat(count);
    let request = |fields: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}Connection: close\r\n\r\n");
    let long = format!("A: {}\r\n", "b".repeat(20 << 10));
    assert_eq!(statuses(&host.exchange(request(&fields(62))).await), ["200"]);
    assert_eq!(statuses(&host.exchange(request(&fields(63))).await), ["431"]);
    assert_eq!(statuses(&host.exchange(request(&long)).await), ["431"]);
    let target = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(70_000));
    assert!(["414", "431"].contains(&statuses(&host.exchange(target).await)[0]));
}

#[tokio::test]
async fn a_head_that_does_not_arrive_in_time_closes_the_connection() {
    let host = Host::start(Settings { header_timeout: SHORT, ..Settings::default() });
    let began = Instant::now();
    assert_eq!(host.exchange("").await, "");
    assert_eq!(statuses(&host.exchange("GET / HTTP/1.1\r\nHost:").await), ["400"]);
    assert_eq!(statuses(&host.exchange([GET, "P"].concat()).await), ["200", "400"]);
    assert_eq!(statuses(&host.exchange("PRI * HTTP/2").await), ["400"]);
    assert!(began.elapsed() >= SHORT * 4);
}

#[tokio::test]
async fn between_two_requests_there_is_more_time_than_within_one() {
    let host = Host::start(Settings { header_timeout: SHORT / 4, idle_timeout: SHORT * 3, ..Settings::default() });
    let mut stream = host.connect().await;
    for _ in 0..3 {
        stream.write_all(GET.as_bytes()).await.unwrap();
        until(&mut stream, "got:.").await;
        sleep(SHORT).await;
    }
    let began = Instant::now();
    assert_eq!(rest(&mut stream).await, "");
    assert!(began.elapsed() >= SHORT, "closed when idle, not before");
}

#[tokio::test]
async fn a_request_under_way_is_not_idle() {
    let host = Host::start(Settings { idle_timeout: SLOW / 8, ..Settings::default() });
    let answer = host.exchange("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.ends_with("slow"), "{answer}");
}

#[tokio::test]
async fn a_body_is_taken_up_to_its_limit() {
    let host = Host::start(Settings::default());
    for (size, expected) in [(BODY_BYTES - 1, "200"), (BODY_BYTES, "200"), (BODY_BYTES + 1, "413")] {
        let body = "b".repeat(size);
        let mut sized = host.connect().await;
        sized.write_all(post(size, &body).as_bytes()).await.unwrap();
        sized.shutdown().await.unwrap();
        let answer = rest(&mut sized).await;
        assert_eq!(statuses(&answer), [expected]);
        let chunks = format!("{CHUNKED}1\r\nb\r\n{:x}\r\n{}\r\n0\r\n\r\n", size - 1, &body[1..]);
        let mut stream = host.connect().await;
        stream.write_all(chunks.as_bytes()).await.unwrap();
        let answer = until(&mut stream, "\r\n\r\n").await;
        assert_eq!(statuses(&answer), [expected]);
    }
}

#[tokio::test]
async fn a_length_over_the_limit_is_refused_without_asking_for_the_body() {
    let host = Host::start(Settings::default());
    let expecting = |length: usize| {
        format!("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    assert_eq!(statuses(&host.exchange(expecting(99_999_999)).await), ["413"]);
    let mut stream = host.connect().await;
    stream.write_all(expecting(2).as_bytes()).await.unwrap();
    assert_eq!(statuses(&until(&mut stream, "\r\n\r\n").await), ["100"]);
    stream.write_all(b"hi").await.unwrap();
    until(&mut stream, "got:hi.").await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_given_up() {
    let host = Host::start(Settings { body_timeout: SHORT, ..Settings::default() });
    assert_eq!(statuses(&host.exchange(post(5, "hi")).await), ["408"]);
    assert_eq!(statuses(&host.exchange([CHUNKED, "5\r\nhi"].concat()).await), ["408"]);
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_is_still_sending() {
    let host = Host::start(Settings::default());
    let size = 2 << 20;
    let head = format!("POST /skip HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n");
    let mut stream = host.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = [b'b'; 64 << 10];
    for _ in 0..size / piece.len() {
        stream.write_all(&piece).await.expect("the connection is not reset while we send");
    }
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.ends_with("skipped"), "{answer}");
}
