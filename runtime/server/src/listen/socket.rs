//! Listening sockets: one address, a socket for each worker, and one count of the connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use socket2::{Domain, Protocol, Type};

const BACKLOG: i32 = 1024;

/// An address that is listened on.
pub(crate) struct Listener {
    addr: SocketAddr,
    sockets: Vec<Socket>,
    seats: Seats,
}

/// One worker's share of a [`Listener`]: the kernel spreads new connections over them.
pub(crate) struct Socket {
    pub(super) listener: TcpListener,
    pub(super) seats: Seats,
}

impl Listener {
    /// Listens on `addr` with one socket for each of `workers` (at least one). With port 0 the first socket picks the
    /// port, and all share it.
    ///
    /// # Errors
    /// The address is not ours or is taken, by another process too that would share it.
    pub(crate) fn bind(addr: SocketAddr, workers: usize) -> io::Result<Self> {
        let shared = workers > 1;
        if shared && addr.port() != 0 {
            // Sharing a port is open to every process of this user: a server started twice would take half the events.
            drop(bind(addr, false)?);
        }
        let first = bind(addr, shared)?;
        let addr = first.local_addr()?;
        let mut listeners = vec![first];
        for _ in 1..workers {
            listeners.push(bind(addr, true)?);
        }
        let seats = Seats::default();
        let sockets = listeners.into_iter().map(|listener| Socket { listener, seats: seats.clone() }).collect();
        Ok(Self { addr, sockets, seats })
    }

    /// The address with the port that was picked.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The connections of all its sockets.
    pub(crate) fn seats(&self) -> Seats {
        self.seats.clone()
    }

    /// One for each worker, for [`super::serve`].
    pub(crate) fn into_sockets(self) -> Vec<Socket> {
        self.sockets
    }
}

fn bind(addr: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A server that was just stopped leaves connections behind that would keep its address taken for a minute.
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The connections of a listener, counted over all its sockets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seats(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    open: AtomicUsize,
    refused: AtomicU64,
}

/// A connection's place, free again when this is dropped.
pub(super) struct Seat(Seats);

impl Seats {
    pub(super) fn take(&self, max: usize) -> Option<Seat> {
        let open = self.0.open.fetch_add(1, Relaxed);
        let seat = Seat(self.clone());
        if open >= max {
            self.0.refused.fetch_add(1, Relaxed);
            return None;
        }
        Some(seat)
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> usize {
        self.0.open.load(Relaxed)
    }

    /// Connections so far for which there was no seat.
    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Relaxed);
    }
}
