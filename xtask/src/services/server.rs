//! A server of others on a port of this machine: started, waited for, and stopped, whatever happens in between.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;

use super::scratch::Scratch;
use crate::program::{self, Program};

/// So many ports are tried.
const PORTS: usize = 3;
const STOP_TIME: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// What is known of a server before it has a port.
pub(super) struct Plan<P, A> {
    pub(super) name: &'static str,
    /// For the program on a port.
    pub(super) program: P,
    /// Whether it answers on a port.
    pub(super) answers: A,
    /// How it is asked to stop.
    pub(super) stop_signal: Signal,
    pub(super) start_time: Duration,
}

/// A server that answers.
pub(super) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
    stop_signal: Signal,
    pub(super) port: u16,
}

impl<P: Fn(u16) -> Program, A: Fn(u16) -> bool> Plan<P, A> {
    /// Starts the server with its log in the folder, and waits until it answers.
    pub(super) fn start(&self, scratch: &Scratch) -> anyhow::Result<Server> {
        let mut tries = 1;
        loop {
            let port = free_port()?;
            let started = self.start_on(port, scratch);
            // Between our look and the server's own, somebody else may have taken the port.
            if started.is_ok() || tries == PORTS || !is_taken(port) {
                return started;
            }
            println!("  the port {port} was taken meanwhile; trying another");
            tries += 1;
        }
    }

    fn start_on(&self, port: u16, scratch: &Scratch) -> anyhow::Result<Server> {
        let (name, stop_signal) = (self.name, self.stop_signal);
        let log = scratch.path().join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let program = (self.program)(port).ended_by(stop_signal);
        println!("  $ {program}");
        let child = program.command().stdin(scratch.hold()?).stdout(file.try_clone()?).stderr(file).spawn()?;
        // From here on, whatever fails ends the child.
        let mut server = Server { name, child, log, stop_signal, port };
        let deadline = Instant::now() + self.start_time;
        while !(self.answers)(port) {
            server.check()?;
            if Instant::now() > deadline {
                bail!("{name} did not answer within {:?}:\n{}", self.start_time, program::last_lines(&server.log));
            }
            pause();
        }
        // It may have been somebody else who answered.
        server.check()?;
        Ok(server)
    }
}

impl Server {
    /// Fails if the server has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended with {}:\n{}", self.name, program::shown(status), program::last_lines(&self.log));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = program::stop(&mut self.child, self.stop_signal, STOP_TIME) {
            eprintln!("{} is killed: {error:#}", self.name);
            // It may end by itself before.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Between two looks at a server.
pub(super) fn pause() {
    thread::sleep(LOOK_INTERVAL);
}

/// A port that nobody listens on now.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    Ok(listener.local_addr()?.port())
}

fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_until_somebody_listens() {
        let port = free_port().unwrap();
        assert!(!is_taken(port));
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(is_taken(port));
    }
}
