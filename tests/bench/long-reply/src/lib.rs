//! Answers with as many messages as it is asked for.

use codenode::{Error, Event, Reply, handler};

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let messages = event.entities.integer("quantity").ok_or("no quantity was asked for")?;
    Ok((0..messages).fold(Reply::empty(), |reply, _| reply.and("The price of the speaker is ₹1500.")))
}
