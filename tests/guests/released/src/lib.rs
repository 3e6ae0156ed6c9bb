//! Calls everything that the WIT of release 0.1.0 has, as `tests/fixtures/wit-0.1.0` keeps it: what is built against that must run for ever.
//!
//! Natively there is nothing here, for there is no host.
#![cfg(target_arch = "wasm32")]

#[expect(unsafe_code, reason = "an export is a symbol that the host finds by its name, and takes raw pointers")]
mod bindings {
    use super::Node;

    wit_bindgen::generate!({ path: "../../fixtures/wit-0.1.0", world: "code-node-with-grants", generate_all });
    export!(Node with_types_in self);
}

use bindings::codenode::node::log;
use bindings::wasi::config::store as config;
use bindings::wasi::keyvalue::{atomics, batch, store};
use bindings::wasi::logging::logging;

struct Node;

impl bindings::Guest for Node {
    fn handle(event: String) -> Result<String, String> {
        log::more(8, words(*b"the quic"));
        log::write(log::Level::Warn, 7, words(*b"k brown\0"));
        logging::log(logging::Level::Info, "fox", "jumps");
        let kept = keep().map_err(|error| format!("{error:?}"))?;
        let set = config::get("shop").map_err(|error| format!("{error:?}"))?.unwrap_or_default();
        let all = config::get_all().map_err(|error| format!("{error:?}"))?.len();
        let told = format!("{kept} {set} {all} {}", event.len());
        Ok(format!("{{\"status\":true,\"response\":[\"{told}\"]}}"))
    }
}

/// Every function of `wasi:keyvalue`, and what came of them.
fn keep() -> Result<String, store::Error> {
    let bucket = store::open("node")?;
    bucket.set("a", b"1")?;
    let is_there = bucket.exists("a")?;
    let sum = atomics::increment(&bucket, "a", 2)?;
    let cas = atomics::Cas::new(&bucket, "b")?;
    let is_new = cas.current()?.is_none();
    let is_swapped = atomics::swap(cas, b"x").is_ok();
    batch::set_many(&bucket, &[("c".to_owned(), b"y".to_vec())])?;
    let found = batch::get_many(&bucket, &["a".to_owned(), "c".to_owned()])?.len();
    let keys = bucket.list_keys(None)?.keys.join(",");
    batch::delete_many(&bucket, &["c".to_owned()])?;
    bucket.delete("b")?;
    let left = bucket.get("b")?.is_some();
    Ok(format!("{is_there} {sum} {is_new} {is_swapped} {found} {keys} {left}"))
}

/// Up to eight bytes of a text, as `codenode:node/log` takes them.
fn words(text: [u8; 8]) -> log::Words {
    (u64::from_le_bytes(text), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}
