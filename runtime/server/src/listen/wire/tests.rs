use std::io::Cursor;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const LONG: Duration = Duration::from_secs(60);
const LINGER: Linger = Linger { time: Duration::from_secs(1), bytes: 1 << 10 };
const GOOD: &str = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";

/// Input that comes in the given reads, and then no more.
struct Reads(Vec<Vec<u8>>);

impl AsyncRead for Reads {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let read = self.0.remove(0);
        buf.put_slice(&read);
        Poll::Ready(Ok(()))
    }
}

/// What hyper gets to see of `reads`, and how it ends: an error, or waiting.
async fn seen(reads: Vec<Vec<u8>>) -> (Vec<u8>, Mode, Option<io::ErrorKind>) {
    let mut wire = Wire::new(Reads(reads), LONG, LINGER);
    let mut seen = Vec::new();
    let end = std::future::poll_fn(|cx| {
        loop {
            let mut room = [0; 4096];
            let mut buf = ReadBuf::new(&mut room);
            match Pin::new(&mut wire).poll_read(cx, &mut buf) {
                Poll::Pending => return Poll::Ready(None),
                Poll::Ready(Err(error)) => return Poll::Ready(Some(error.kind())),
                Poll::Ready(Ok(())) => seen.extend_from_slice(buf.filled()),
            }
        }
    })
    .await;
    (seen, wire.mode, end)
}

/// All ways to cut `input` in two, and all of its bytes alone.
fn cuts(input: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut all = vec![vec![input.to_vec()], input.chunks(1).map(<[u8]>::to_vec).collect()];
    all.extend((1..input.len()).map(|cut| vec![input[..cut].to_vec(), input[cut..].to_vec()]));
    all
}

#[tokio::test]
async fn a_good_stream_passes_unchanged() {
    let stream = [GOOD, GOOD, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"].concat();
    for reads in cuts(stream.as_bytes()) {
        assert_eq!(seen(reads).await, (stream.clone().into_bytes(), Mode::Http1, None));
    }
}

#[tokio::test]
async fn a_bad_head_is_cut_at_a_nul_after_what_came_before_it() {
    let stream = [GOOD, "GET / HTTP/1.1\nHost: x\r\n\r\n", GOOD].concat();
    let expected = [GOOD, "GET / HTTP/1.1\0\r\n\r\n"].concat().into_bytes();
    for reads in cuts(stream.as_bytes()) {
        assert_eq!(seen(reads).await, (expected.clone(), Mode::Refused(4), None));
    }
}

#[tokio::test]
async fn a_bad_body_ends_in_an_error() {
    let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (good, bad) in [("2\r\nab\r\n", "1 \r\nc\r\n"), ("2;e", "\nab\r\n"), ("0\r\n", "Host: x\r\n")] {
        let stream = [head, good, bad, GOOD].concat();
        let end = if bad.starts_with('1') {
            "1"
        } else if bad.starts_with('H') {
            "Host"
        } else {
            ""
        };
        let expected = [head, good, end].concat().into_bytes();
        for reads in cuts(stream.as_bytes()) {
            assert_eq!(seen(reads).await, (expected.clone(), Mode::Broken, Some(io::ErrorKind::InvalidData)));
        }
    }
}

#[tokio::test]
async fn the_preface_of_http2_ends_the_watch_only_as_the_first_bytes() {
    let stream = [PREFACE, b"anything\n\0at all"].concat();
    for reads in cuts(&stream) {
        assert_eq!(seen(reads).await, (stream.clone(), Mode::Http2, None));
    }
    let late = [GOOD.as_bytes(), PREFACE].concat();
    for reads in cuts(&late) {
        assert_eq!(seen(reads).await.1, Mode::Refused(4));
    }
    let nearly = b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\nPOST / HTTP/1.1\r\n\r\n";
    for reads in cuts(nearly) {
        let (seen, mode, _) = seen(reads).await;
        assert_eq!(mode, Mode::Refused(4));
        assert!(seen.len() <= 23 && seen.ends_with(b"\0\r\n\r\n"), "{}", seen.escape_ascii());
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_takes_too_long_is_ended_however_it_trickles() {
    let (mut client, server) = tokio::io::duplex(64);
    let mut wire = Wire::new(server, Duration::from_secs(10), LINGER);
    client.write_all(GOOD.as_bytes()).await.unwrap();
    let mut first = vec![0; GOOD.len()];
    wire.read_exact(&mut first).await.unwrap();

    let quiet = tokio::time::timeout(LONG, wire.read_u8()).await;
    assert!(quiet.is_err(), "between two requests there is no hurry");

    let began = Instant::now();
    let trickle = tokio::spawn(async move {
        while client.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    });
    let mut rest = Vec::new();
    while rest.last() != Some(&0) {
        rest.push(wire.read_u8().await.unwrap());
    }
    assert_eq!(rest, b"GGGG\0");
    assert_eq!(began.elapsed().as_secs(), 10);
    drop(wire);
    trickle.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_looks_closed_when_the_time_is_up() {
    let (_client, server) = tokio::io::duplex(64);
    let mut wire = Wire::new(server, Duration::from_secs(10), LINGER);
    assert_eq!(wire.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_what_is_still_being_sent_and_for_nothing_else() {
    for (sent, expected) in [(GOOD, 0), (&GOOD[..GOOD.len() - 1], 1), ("GET /\n", 1)] {
        let (mut client, server) = tokio::io::duplex(256);
        let mut wire = Wire::new(server, LONG, LINGER);
        client.write_all(sent.as_bytes()).await.unwrap();
        let read = wire.read(&mut [0; 256]).await.unwrap();
        assert!(read > 0);
        let began = Instant::now();
        wire.shutdown().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), expected, "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_listen_for_ever_to_who_goes_on_sending() {
    let (mut client, server) = tokio::io::duplex(256);
    let mut wire = Wire::new(server, LONG, LINGER);
    client.write_all(&GOOD.as_bytes()[..GOOD.len() - 1]).await.unwrap();
    assert!(wire.read(&mut [0; 256]).await.unwrap() > 0);
    let sender = tokio::spawn(async move {
        let mut sent = 0;
        while client.write_all(&[b'b'; 128]).await.is_ok() {
            sent += 128;
        }
        sent
    });
    let began = Instant::now();
    wire.shutdown().await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 0, "so many bytes come in no time");
    drop(wire);
    let sent = sender.await.unwrap();
    assert!((LINGER.bytes..LINGER.bytes + 1024).contains(&sent), "{sent}");
}

#[tokio::test]
async fn the_end_of_input_passes_through() {
    let mut wire = Wire::new(Cursor::new(GOOD.as_bytes().to_vec()), LONG, LINGER);
    let mut all = Vec::new();
    wire.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, GOOD.as_bytes());
}
