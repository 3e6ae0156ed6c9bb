//! More callers than the system lets the server have descriptors for.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::http::{Connection, exchange, get};
use super::server::{CODENODE, Server, event, node};

const WORKERS: usize = 2;
/// How much of a second the server may be busy while it cannot accept anybody.
const BUSY: Duration = Duration::from_millis(200);
/// By when it must accept again; it looks once a second.
const AGAIN: Duration = Duration::from_secs(5);

/// The time that the process has had on a core.
fn cpu_time(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).unwrap();
    // The name before may hold spaces; user and system time are the 14th and 15th field, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    Duration::from_millis(10 * (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()))
}

#[test]
fn a_server_without_descriptors_waits_quietly_says_so_and_answers_as_soon_as_it_has_some() {
    let mut command = Command::new("sh");
    // The server raises the soft limit to the hard one; `ulimit` sets both.
    command.args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\"", CODENODE]);
    let server = Server::start_by(command, &format!("workers = {WORKERS}"), &node("n", "product-price", ""));
    assert_eq!(server.wait_for_log("open fewer files")["limit"], 64);
    let send = || server.send("n", &event("product_name", "speaker"));
    assert_eq!(send().status, 200);
    let before = server.descriptors();

    let mut connections: Vec<Connection> = (0..100).map(|_| Connection::open(server.front_door)).collect();
    server.wait_for_log("cannot accept connections");
    let (began, worked) = (Instant::now(), cpu_time(&server));
    while began.elapsed() < Duration::from_secs(1) {
        // Whoever is in is served all the while.
        connections[0].send(&get("/hooks/acme/n", &[]));
        assert_eq!(connections[0].answer().unwrap().status, 200);
        std::thread::sleep(Duration::from_millis(50));
    }
    let busy = cpu_time(&server) - worked;
    assert!(busy < BUSY, "{busy:?} of {:?}", began.elapsed());

    drop(connections);
    let closed = Instant::now();
    assert_eq!(exchange(server.front_door, &get("/hooks/acme/n", &[])).unwrap().status, 200);
    assert!(closed.elapsed() < AGAIN, "{:?}", closed.elapsed());
    assert_eq!(send().status, 200);
    server.wait_for_descriptors(before + 2);
    // At most one for each thread that accepts, and not one for each time that it tried.
    let complaints = server.log_lines("cannot accept connections").len();
    assert!(complaints <= 1 + WORKERS, "{complaints} log lines");
}
