//! An event comes in, a reply goes out.

use codenode::{Error, Event, Reply, handler};

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let name = event.user.full_name;
    let hello = if name.is_empty() { "Hello".to_owned() } else { format!("Hello {name}") };
    Ok(Reply::text(format!("{hello}, what can I do for you?")))
}

#[cfg(test)]
mod tests {
    use codenode::testing;

    use super::handle;

    #[test]
    fn a_user_is_greeted_by_name() {
        let run = testing::run(handle, testing::event("NODE").user("full_name", "Asha"));
        assert_eq!(run.texts(), ["Hello Asha, what can I do for you?"]);
    }
}
