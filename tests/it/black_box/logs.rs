//! `codenode logs --follow`: every run once, whatever the server and the way to it go through.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::server::{CODENODE, SECRET, Server, event, guest};
use super::shell::Shell;

/// A command that follows, and what it says.
struct Follower {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Follower {
    fn start(shell: &Shell) -> Self {
        let mut child = shell.starts("logs SHOP --follow");
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let err = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, out, err }
    }

    /// The next line is that of this order.
    #[track_caller]
    fn tells(&mut self, order: u32) {
        let line = self.out.next().unwrap().unwrap();
        assert!(line.ends_with(&format!("order {order}")), "{line} in place of {order}");
    }

    /// Says these words in the end, and warned so often before.
    #[track_caller]
    fn complains(&mut self, warnings: usize, words: &str) {
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.contains(words)) {
            said.push(self.err.next().unwrap_or_else(|| panic!("{words:?} is not in {said:#?}")).unwrap());
        }
        assert_eq!(said.iter().filter(|line| line.starts_with("warning: ")).count(), warnings, "{said:#?}");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server whose management side is where it will be again. No test listens there while it is away.
fn command(management: SocketAddr) -> Command {
    let mut command = Command::new(CODENODE);
    command.env("CODENODE_MANAGEMENT_LISTEN", management.to_string());
    command
}

fn start() -> (SocketAddr, Server) {
    let management = TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap();
    let server = Server::start_by(command(management), "", "");
    let shell = Shell::of(&server);
    shell.does("tenant create acme");
    shell.does("node create SHOP");
    shell.type_in("secret set SHOP", SECRET.as_bytes()).exits(0);
    shell.does(&format!("deploy {} --node SHOP", guest("order-status").display()));
    (management, server)
}

fn order(server: &Server, number: u32) {
    let answer = server.send("SHOP", &event("product_id", &number.to_string()));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn a_log_is_followed_through_restarts_of_the_server_and_ends_with_the_key() {
    let (management, mut server) = start();
    let key = Shell::of(&server).does("key create --role read");
    let mut follower = Follower::start(&Shell::of(&server).with("CODENODE_KEY", key.trim()));
    for number in 0..3 {
        order(&server, 10 * number);
        follower.tells(10 * number);
        // Its records are written before it ends.
        order(&server, 10 * number + 1);
        let folder = server.stop();
        follower.complains(1, "asked again until it answers");
        // It asks a few times more, and nobody hears of that.
        thread::sleep(Duration::from_secs(7));
        server = Server::start_in(folder, command(management));
        order(&server, 10 * number + 2);
        let started = Instant::now();
        follower.tells(10 * number + 1);
        follower.tells(10 * number + 2);
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
        follower.complains(0, "answers again");
    }
    Shell::of(&server).does(&format!("key delete {} --yes", key.split('_').nth(1).unwrap()));
    follower.complains(0, "error: this key is wrong");
    assert_eq!(follower.child.wait().unwrap().code(), Some(2));
    assert!(follower.out.next().is_none());
}

#[test]
fn a_log_is_followed_through_more_runs_than_a_server_lists_at_once() {
    let (_, server) = start();
    let mut follower = Follower::start(&Shell::of(&server));
    order(&server, 0);
    follower.tells(0);
    follower.signal(Signal::STOP);
    (1..=1500).for_each(|number| order(&server, number));
    follower.signal(Signal::CONT);
    (1..=1500).for_each(|number| follower.tells(number));
    order(&server, 1501);
    follower.tells(1501);
}
