//! Does with its buckets what its event asks for, and replies with what became of each operation: `{"ok": …}`, or `{"error": …, "text": …}`.
//!
//! The entity `plan` is a JSON list of operations. They go to `wasi:keyvalue` as they are, so that a test can also say what the SDK would not.
//! Values are text; a value that is none is shown as well as it can be. Natively there is nothing here, for there is no host.
//!
//! With an entity `details` the reply begins with the text of that, such as `"user_details":{"a":1},`, and has a second message: the details that the
//! event came with, `{"conversation": …, "user": …}`.
#![cfg(target_arch = "wasm32")]

use codenode::kv::bindings::wasi::keyvalue::atomics::{self, Cas, CasError};
use codenode::kv::bindings::wasi::keyvalue::{batch, store};
use codenode::{Error, Event, Reply, Value, handler, json, messages};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Operation {
    Get {
        bucket: String,
        key: String,
    },
    Set {
        bucket: String,
        key: String,
        value: String,
    },
    /// Sets a value of this many bytes.
    ValueBytes {
        bucket: String,
        key: String,
        bytes: usize,
    },
    Delete {
        bucket: String,
        key: String,
    },
    Exists {
        bucket: String,
        key: String,
    },
    /// One page: `{"keys": […], "cursor": …}`.
    Keys {
        bucket: String,
        cursor: Option<String>,
    },
    GetMany {
        bucket: String,
        keys: Vec<String>,
    },
    SetMany {
        bucket: String,
        entries: Vec<(String, String)>,
    },
    DeleteMany {
        bucket: String,
        keys: Vec<String>,
    },
    Increment {
        bucket: String,
        key: String,
        delta: i64,
    },
    /// `{"seen": …, "swapped": true}`; if it was not swapped, with what is there `now`.
    Swap {
        bucket: String,
        key: String,
        value: String,
    },
    /// The same, with a plan between seeing and swapping.
    SwapAfter {
        bucket: String,
        key: String,
        value: String,
        plan: Vec<Operation>,
    },
    /// What the SDK says in a language, or `{"none": …}` with the reason.
    Message {
        key: String,
        language: Option<String>,
    },
    /// The results of the last time.
    Repeat {
        times: u32,
        plan: Vec<Operation>,
    },
    Break,
    Error,
}

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let plan: Vec<Operation> = serde_json::from_str(event.entities.text("plan").ok_or("no plan")?)?;
    let results = all(&plan)?.to_string();
    let Some(details) = event.entities.text("details") else { return Ok(Reply::text(results)) };
    let told = json!({ "conversation": event.conversation_details, "user": event.user_details }).to_string();
    let messages = json!([results, told]);
    Ok(Reply::raw(format!(r#"{{{details}"status":true,"response":{messages}}}"#)))
}

fn all(plan: &[Operation]) -> Result<Value, Error> {
    plan.iter().map(|operation| Ok(told(done(operation)?))).collect()
}

/// What became of an operation, or why there is no reply.
fn done(operation: &Operation) -> Result<Result<Value, store::Error>, Error> {
    Ok(match operation {
        Operation::Get { bucket, key } => open(bucket, |bucket| Ok(json!(bucket.get(key)?.map(text)))),
        Operation::Set { bucket, key, value } => open(bucket, |bucket| set(bucket, key, value.as_bytes())),
        Operation::ValueBytes { bucket, key, bytes } => open(bucket, |bucket| set(bucket, key, &vec![b'x'; *bytes])),
        Operation::Delete { bucket, key } => open(bucket, |bucket| Ok(json!(bucket.delete(key)?))),
        Operation::Exists { bucket, key } => open(bucket, |bucket| Ok(json!(bucket.exists(key)?))),
        Operation::Keys { bucket, cursor } => open(bucket, |bucket| {
            let page = bucket.list_keys(cursor.as_deref())?;
            Ok(json!({ "keys": page.keys, "cursor": page.cursor }))
        }),
        Operation::GetMany { bucket, keys } => open(bucket, |bucket| {
            let entries = batch::get_many(bucket, keys)?.into_iter();
            Ok(entries.map(|entry| json!(entry.map(|(key, value)| (key, text(value))))).collect())
        }),
        Operation::SetMany { bucket, entries } => open(bucket, |bucket| {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| (key.clone(), value.clone().into_bytes())).collect();
            Ok(json!(batch::set_many(bucket, &entries)?))
        }),
        Operation::DeleteMany { bucket, keys } => open(bucket, |bucket| Ok(json!(batch::delete_many(bucket, keys)?))),
        Operation::Increment { bucket, key, delta } => {
            open(bucket, |bucket| Ok(json!(atomics::increment(bucket, key, *delta)?)))
        }
        Operation::Swap { bucket, key, value } => swap_after(bucket, key, value, &[])?,
        Operation::SwapAfter { bucket, key, value, plan } => swap_after(bucket, key, value, plan)?,
        Operation::Message { key, language } => {
            let text = messages::text(key, language.as_deref());
            Ok(text.map_or_else(|why| json!({ "none": why.to_string() }), |text| json!(text)))
        }
        Operation::Repeat { times, plan } => {
            let mut last = Value::Null;
            for _ in 0..*times {
                last = all(plan)?;
            }
            Ok(last)
        }
        Operation::Break => break_off(),
        Operation::Error => return Err(Error::new("as the plan says")),
    })
}

fn open(name: &str, work: impl FnOnce(&store::Bucket) -> Result<Value, store::Error>) -> Result<Value, store::Error> {
    work(&store::open(name)?)
}

fn set(bucket: &store::Bucket, key: &str, value: &[u8]) -> Result<Value, store::Error> {
    Ok(json!(bucket.set(key, value)?))
}

fn swap_after(bucket: &str, key: &str, value: &str, plan: &[Operation]) -> Result<Result<Value, store::Error>, Error> {
    let mut between = Ok(Value::Null);
    let swapped = open(bucket, |bucket| {
        let cas = Cas::new(bucket, key)?;
        let seen = cas.current()?.map(text);
        between = all(plan);
        match atomics::swap(cas, value.as_bytes()) {
            Ok(()) => Ok(json!({ "seen": seen, "swapped": true })),
            Err(CasError::CasFailed(now)) => {
                Ok(json!({ "seen": seen, "swapped": false, "now": now.current()?.map(text) }))
            }
            Err(CasError::StoreError(error)) => Err(error),
        }
    });
    between.map(|_| swapped)
}

#[expect(clippy::panic, reason = "a test wants to see what is left of a run that breaks")]
fn break_off() -> ! {
    panic!("as the plan says")
}

fn told(result: Result<Value, store::Error>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(store::Error::AccessDenied) => json!({ "error": "access-denied" }),
        Err(store::Error::NoSuchStore) => json!({ "error": "no-such-store" }),
        Err(store::Error::Other(why)) => json!({ "error": "other", "text": why }),
    }
}

fn text(value: Vec<u8>) -> String {
    String::from_utf8_lossy(&value).into_owned()
}
