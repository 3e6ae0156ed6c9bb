//! The service that `order-tracker` asks: one order, told over HTTP on this machine for as long as the tour lasts.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

const ORDER: &str = r#"{"state":"on its way","eta":"Friday"}"#;

/// For a whole request to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the shop; it closes with the process.
pub(crate) fn open() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot open the shop of the tour")?;
    let address = listener.local_addr()?;
    // Whoever leaves early has no order.
    thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(|visitor| drop(tell(visitor))));
    Ok(address)
}

/// Answers one request, whatever it asks.
fn tell(mut visitor: TcpStream) -> std::io::Result<()> {
    visitor.set_read_timeout(Some(PATIENCE))?;
    let mut head = BufReader::new(visitor.try_clone()?).lines();
    while head.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    write!(
        visitor,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{ORDER}",
        ORDER.len()
    )
}
