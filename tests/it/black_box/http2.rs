//! HTTP/2 clients that cost more than they pay for, frame by frame (corpus G), and what is left of them afterwards.

use std::collections::BTreeMap;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::frames::{
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, NO_ERROR, PING, PREFACE,
    REFUSED_STREAM, RST_STREAM, SETTINGS, frame, literal, padding,
};
use super::http::{exchange, get};
use super::server::{Server, node};

/// How much more memory the server may hold after a flood than before.
const MEMORY_SLACK_BYTES: u64 = 16 << 20;
/// How fast somebody else is answered; the server shares two cores with other tests.
const NEIGHBOUR_WAITS: Duration = Duration::from_millis(100);
/// By when the server must have had enough.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client's streams have odd numbers.
fn stream(at: u32) -> u32 {
    2 * at + 1
}

/// `POST /hooks/acme/n` with JSON: names of HPACK's static table, and values that are not to be remembered.
fn head() -> Vec<u8> {
    let (path, authority) = (literal(&[0x04], b"/hooks/acme/n"), literal(&[0x01], b"x"));
    [&[0x83, 0x86][..], &path, &authority, &literal(&[0x0f, 0x10], b"application/json")].concat()
}

/// What the server said until it closed.
#[derive(Debug, Default)]
struct Said {
    /// The last GOAWAY: its code, and why.
    goaway: Option<(u32, String)>,
    /// How many streams were reset, by code.
    resets: BTreeMap<u32, usize>,
    pongs: usize,
    acks: usize,
}

impl Said {
    fn note(&mut self, kind: u8, flags: u8, payload: &[u8]) {
        let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        match (kind, flags & ACK) {
            (GOAWAY, _) => self.goaway = Some((number(4), String::from_utf8_lossy(&payload[8..]).into_owned())),
            (RST_STREAM, _) => *self.resets.entry(number(0)).or_default() += 1,
            (PING, ACK) => self.pongs += 1,
            (SETTINGS, ACK) => self.acks += 1,
            _ => {}
        }
    }

    fn answers(&self) -> usize {
        self.pongs + self.acks
    }

    fn goodbye(&self) -> Option<(u32, &str)> {
        self.goaway.as_ref().map(|(code, why)| (*code, why.as_str()))
    }
}

/// Reads frames until the server closes.
fn listen(stream: &TcpStream) -> Said {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut wire, began, mut said) = (BufReader::new(stream), Instant::now(), Said::default());
    loop {
        match hear(&mut wire, &mut said) {
            Ok(_) => assert!(began.elapsed() < PATIENCE, "the server goes on: {said:?}"),
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::WouldBlock, "the server never closed: {said:?}");
                return said;
            }
        }
    }
}

/// Reads one frame, and returns its kind.
fn hear(stream: &mut impl Read, said: &mut Said) -> io::Result<u8> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
    stream.read_exact(&mut payload)?;
    said.note(head[3], head[4], &payload);
    Ok(head[3])
}

/// A server that is warm, and what it looked like before anybody flooded it.
struct Quiet {
    server: Server,
    descriptors: usize,
    resident_bytes: u64,
}

impl Quiet {
    fn start(front_door: &str) -> Self {
        let server = Server::start_with(front_door, &node("n", "product-price", ""));
        (0..20).for_each(|_| assert!(neighbour_waits(&server) < PATIENCE));
        let (descriptors, resident_bytes) = (server.descriptors(), server.resident_bytes());
        Self { server, descriptors, resident_bytes }
    }

    /// A connection on which HTTP/2 has begun.
    fn connect(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.server.front_door).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).unwrap();
        stream
    }

    /// Sends `pieces`, listening all the while, until the server closes; then looks around.
    fn flood(&self, name: &str, mut pieces: impl Iterator<Item = Vec<u8>>) -> Said {
        let stream = self.connect();
        let said = thread::scope(|scope| {
            let heard = scope.spawn(|| listen(&stream));
            // The server may well close before it has all of it.
            let _ = pieces.try_for_each(|piece| (&stream).write_all(&piece));
            let _ = stream.shutdown(Shutdown::Write);
            heard.join().unwrap()
        });
        self.check(name);
        said
    }

    /// Fails unless the server is as it was.
    fn check(&self, after: &str) {
        let server = &self.server;
        // Another process may take the machine for a moment, but not each time.
        let waited = (0..5).map(|_| neighbour_waits(server)).min().unwrap();
        assert!(waited < NEIGHBOUR_WAITS, "the neighbour waited {waited:?} after {after}");
        server.wait_for_descriptors(self.descriptors);
        let bytes = server.resident_bytes();
        assert!(bytes < self.resident_bytes + MEMORY_SLACK_BYTES, "{bytes} after {after}, {}", self.resident_bytes);
    }
}

/// How long another connection waits for its answer.
fn neighbour_waits(server: &Server) -> Duration {
    let asked = Instant::now();
    assert_eq!(exchange(server.front_door, &get("/hooks/acme/n", &[])).unwrap().status, 200);
    asked.elapsed()
}

#[test]
fn a_client_that_floods_is_told_to_calm_down_and_loses_the_connection() {
    let quiet = Quiet::start("");
    let open = |at: u32| frame(HEADERS, END_HEADERS, stream(at), &head());
    let begun = frame(HEADERS, 0, 1, &head());
    let endless = |payload: Vec<u8>| {
        [begun.clone()].into_iter().chain((0..10_000).map(move |_| frame(CONTINUATION, 0, 1, &payload)))
    };
    let calm = |why| Some((ENHANCE_YOUR_CALM, why));

    let said = quiet.flood("a head without end", endless(padding(&[b'x'; 100])));
    assert_eq!(said.goodbye(), calm("too_many_continuations"));
    let said = quiet.flood("a head without end and without fields", endless(Vec::new()));
    assert_eq!(said.goodbye(), calm("too_many_continuations"));

    let reset = |at| [open(at), frame(RST_STREAM, 0, stream(at), &CANCEL)].concat();
    let said = quiet.flood("streams that are reset at once", [(0..10_000).flat_map(reset).collect()].into_iter());
    assert_eq!(said.goodbye(), calm("too_many_resets"));

    let empty = frame(DATA, 0, 1, &[]).repeat(1_000);
    let said = quiet.flood("empty data", [open(0)].into_iter().chain((0..1_000).map(|_| empty.clone())));
    assert_eq!(said.goodbye(), calm("too_many_data_frames"));

    let said = quiet.flood("ten thousand streams at once", (0..10_000).map(open));
    assert_eq!(said.goodbye(), calm("too_many_internal_resets"));
    assert_eq!(said.resets, BTreeMap::from([(REFUSED_STREAM, 64)]), "as many mistakes as we forgive");

    // 16 KB on the wire, and 2 MB when the same field is looked up again and again.
    let lookups = [head(), literal(&[0x40, 1, b'x'], &[b'x'; 120]), vec![0xbe; 16_000]].concat();
    let said = quiet.flood("a head that unfolds", [frame(HEADERS, END_HEADERS, 1, &lookups)].into_iter());
    assert_eq!(said.goodbye(), calm("header_list_way_too_large"));
}

#[test]
fn streams_that_are_reset_once_they_are_served_leave_nothing_behind() {
    let quiet = Quiet::start("");
    let connection = quiet.connect();
    let (mut wire, mut said) = (&connection, Said::default());
    for at in 0..1_000 {
        let open = frame(HEADERS, END_HEADERS, stream(at), &head());
        wire.write_all(&[open, frame(PING, 0, 0, &[0; 8])].concat()).unwrap();
        // The answer to the ping says that the stream was seen, so that its reset is no longer one of many in a batch.
        while hear(&mut wire, &mut said).unwrap() != PING {}
        wire.write_all(&frame(RST_STREAM, 0, stream(at), &CANCEL)).unwrap();
    }
    assert_eq!((said.pongs, said.goodbye()), (1_000, None));
    drop(connection);
    quiet.check("a thousand streams that were reset");
    assert_eq!(quiet.server.records().len(), 0, "nothing ran");
}

#[test]
fn pings_and_settings_are_answered_one_by_one_and_keep_no_connection_open() {
    let quiet = Quiet::start("idle_timeout = \"300ms\"");
    let (ping, settings) = (frame(PING, 0, 0, &[0; 8]).repeat(100), frame(SETTINGS, 0, 0, &[]).repeat(100));
    for (name, piece) in [("pings", &ping), ("settings", &settings)] {
        let busy = quiet.connect();
        let (mut wire, began, mut said) = (BufReader::new(&busy), Instant::now(), Said::default());
        while (&busy).write_all(piece).is_ok() {
            let answers = said.answers() + 100;
            while said.answers() < answers && hear(&mut wire, &mut said).is_ok() {}
            assert!(began.elapsed() < PATIENCE, "{name}: {said:?}");
        }
        assert_eq!(said.goodbye(), Some((NO_ERROR, "")), "{name}: {said:?}");
        assert!(said.answers() > 1_000, "{name}: {said:?}");
        quiet.check(name);

        // Whoever does not read the answers is not read either.
        let mut deaf = quiet.connect();
        deaf.set_write_timeout(Some(PATIENCE)).unwrap();
        let (began, mut sent) = (Instant::now(), 0);
        let closed = loop {
            match deaf.write(piece) {
                Ok(bytes) => sent += bytes,
                Err(error) => break error.kind(),
            }
            assert!(began.elapsed() < PATIENCE, "{sent} bytes of {name} were taken");
        };
        assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&closed), "{name}: {closed}");
        quiet.check(&format!("{name} whose answers nobody reads"));
    }
}
