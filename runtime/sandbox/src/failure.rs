//! From wasmtime's errors to the exact cause of a bot break.

use http::StatusCode;
use model::{BotBreak, Cause, Limits};
use wasmtime::component::ResourceTableError;
use wasmtime::{Error, OutOfMemory, PoolConcurrencyLimitError, Trap, WasmBacktrace, WasmCoreDump, WasmtimeBug};
use wasmtime_wasi::I32Exit;

use crate::backtrace;
use crate::host::MAX_RANDOM_BYTES;

/// The longest error of a handler's own that a record keeps; records are many, and stay in memory.
const MAX_EXCEPTION_BYTES: usize = 1 << 10;

/// Why we ended a run ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the CPU time ran out")]
    OutOfCpu,
    #[error("too many host calls")]
    TooManyCalls,
    #[error("too many HTTP calls")]
    TooManyHttpCalls,
    #[error("too many key-value operations")]
    TooManyKeyValueCalls,
    #[error("the reply grew past its limit")]
    ReplyTooLarge,
}

/// What the classification needs to know besides the error.
pub(crate) struct Circumstances<'a> {
    pub(crate) limits: &'a Limits,
    /// The limiter's last word was a refusal.
    pub(crate) memory_refused: bool,
    /// The guest was still being instantiated, its start functions included.
    pub(crate) instantiating: bool,
    /// A shadow stack that ran below address 0: see [`has_overrun_shadow_stack`].
    pub(crate) shadow_stack_overrun: bool,
    /// What the guest's panic hook logged before it trapped.
    pub(crate) last_words: Option<String>,
}

/// Names the cause of a run that ended with `error`; the order of the questions matters.
pub(crate) fn classify(error: &Error, at: &Circumstances<'_>) -> BotBreak {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stopped(*stop, error, at.limits);
    }
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return BotBreak::new(Cause::Exit, exited(*code, at.memory_refused));
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return BotBreak::new(Cause::Overloaded, "this host's pool of sandboxes is exhausted");
    }
    if error.is::<OutOfMemory>() {
        return BotBreak::new(Cause::Internal, "this host ran out of memory");
    }
    if let Some(bug) = error.downcast_ref::<WasmtimeBug>() {
        tracing::error!(%bug, "the WebAssembly engine found a bug of its own, and ended the run");
        return BotBreak::new(Cause::Internal, "a bug of this host's WebAssembly engine ended the run");
    }
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        return with_backtrace(Cause::TooManyCalls, too_many_handles(at.limits), None, error);
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return trapped(*trap, error, at);
    }
    untyped(error, at)
}

/// How a handler's error begins that is a consequence of something else. It is believed where the run bears it out.
const UPSTREAM: &str = "upstream: ";
const OUT_OF_MEMORY: &str = "out of memory: ";

/// What happened in a run that its handler's error may be a consequence of.
pub(crate) struct Evidence<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) has_failed_call: bool,
    pub(crate) memory_was_refused: bool,
}

/// The failure of a handler of requests: any status but 200, with what its response says.
pub(crate) fn refused(status: StatusCode, body: &str, evidence: &Evidence<'_>) -> BotBreak {
    let status = status.as_u16();
    match body.trim() {
        "" => exception(&format!("it answered with the status {status}"), evidence),
        error if error.starts_with(UPSTREAM) || error.starts_with(OUT_OF_MEMORY) => exception(error, evidence),
        text => exception(&format!("it answered with the status {status}: {text}"), evidence),
    }
}

/// The handler's own error, or what it says to be the cause of it.
pub(crate) fn exception(error: &str, evidence: &Evidence<'_>) -> BotBreak {
    let upstream = error.strip_prefix(UPSTREAM).filter(|_| evidence.has_failed_call);
    let starved = error.strip_prefix(OUT_OF_MEMORY).filter(|_| evidence.memory_was_refused);
    match (upstream, starved) {
        (Some(error), _) => BotBreak::new(Cause::UpstreamFailed, in_its_words(error)),
        (None, Some(error)) => {
            BotBreak::new(Cause::OutOfMemory, format!("{}: {}", out_of_memory(evidence.limits), in_its_words(error)))
        }
        (None, None) => BotBreak::new(Cause::Exception, in_its_words(error)),
    }
}

/// One line of bounded length, whatever the handler returned.
fn in_its_words(error: &str) -> String {
    let end = error.floor_char_boundary(MAX_EXCEPTION_BYTES);
    let lines: Vec<&str> =
        error.get(..end).unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match (lines.is_empty(), end < error.len()) {
        (true, _) => "the handler returned an error without a text".to_owned(),
        (false, true) => format!("{}…", lines.join(" ")),
        (false, false) => lines.join(" "),
    }
}

/// How a guest ended that asked for its exit. `wasi:cli/exit` passes a failure on as a 1, whatever
/// its code was; any other code comes from preview 1 or from `exit-with-code`. A 0 ends a command well, but is no reply of a code node.
fn exited(code: i32, memory_refused: bool) -> String {
    let how = match code {
        0 => "it exited instead of returning its reply".to_owned(),
        1 => "it exited with a failure code".to_owned(),
        _ => format!("it exited with code {code}"),
    };
    let hint = if memory_refused { " after more memory was refused to it" } else { "" };
    format!("{how}{hint}")
}

fn stopped(stop: Stop, error: &Error, limits: &Limits) -> BotBreak {
    let (cause, detail) = match stop {
        Stop::OutOfCpu => (Cause::OutOfCpu, format!("it computed for longer than {}", time(limits.cpu_time))),
        Stop::TooManyCalls => {
            (Cause::TooManyCalls, format!("it called the host more than {} times", limits.host_calls))
        }
        Stop::TooManyHttpCalls => {
            (Cause::TooManyCalls, format!("it made more than {} requests over HTTP", limits.http_calls))
        }
        Stop::TooManyKeyValueCalls => {
            (Cause::TooManyCalls, format!("it made more than {} key-value operations", limits.kv_calls))
        }
        Stop::ReplyTooLarge => (Cause::ReplyTooLarge, reply_too_large(limits)),
    };
    with_backtrace(cause, detail, None, error)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other trap, those to come included, is the guest's own and goes by wasmtime's name"
)]
fn trapped(trap: Trap, error: &Error, at: &Circumstances<'_>) -> BotBreak {
    let (cause, detail) = match trap {
        Trap::StackOverflow => (Cause::OutOfStack, "it recursed deeper than its stack".to_owned()),
        Trap::MemoryOutOfBounds if at.shadow_stack_overrun => (
            Cause::OutOfStack,
            "it recursed deeper than the stack in its linear memory, or put too much on it".to_owned(),
        ),
        Trap::UnreachableCodeReached if at.memory_refused => (Cause::OutOfMemory, out_of_memory(at.limits)),
        Trap::UnreachableCodeReached if at.last_words.is_some() => {
            (Cause::Trap, at.last_words.clone().unwrap_or_default())
        }
        _ => (Cause::Trap, trap.to_string().trim_start_matches("wasm trap: ").to_owned()),
    };
    with_backtrace(cause, detail, Some(code(trap)), error)
}

/// Errors that wasmtime has no public type for. What is none of ours is the guest's: a wrong pointer, bad UTF-8 or a bad
/// discriminant in what it handed over.
fn untyped(error: &Error, at: &Circumstances<'_>) -> BotBreak {
    let text = error.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        // With guest frames on the stack it was an argument of a host call; without, the reply.
        let in_call = error.downcast_ref::<WasmBacktrace>().is_some_and(|backtrace| !backtrace.frames().is_empty());
        let (cause, detail) = if in_call {
            (
                Cause::TooManyCalls,
                format!("it handed more than {} to the host in one call", size(at.limits.host_call_bytes)),
            )
        } else {
            (Cause::ReplyTooLarge, reply_too_large(at.limits))
        };
        return with_backtrace(cause, detail, None, error);
    }
    if text.contains("handle limit exceeded") || text.contains("too many active lends") {
        return with_backtrace(Cause::TooManyCalls, too_many_handles(at.limits), None, error);
    }
    if text.starts_with("exit with invalid exit status") {
        return BotBreak::new(Cause::Exit, "it exited with a code above 125");
    }
    if text.starts_with("requested len ") && text.contains(" exceeds limit ") {
        let detail = format!("it asked for more than {} of random bytes in one call", size(MAX_RANDOM_BYTES));
        return with_backtrace(Cause::TooManyCalls, detail, None, error);
    }
    if at.instantiating && at.memory_refused {
        return BotBreak::new(Cause::OutOfMemory, out_of_memory(at.limits));
    }
    with_backtrace(Cause::Trap, backtrace::one_line(&text), Some("canonical_abi".to_owned()), error)
}

fn with_backtrace(cause: Cause, detail: String, trap: Option<String>, error: &Error) -> BotBreak {
    BotBreak { cause, detail, trap, backtrace: backtrace::frames(error) }
}

/// LLVM's guests keep a second stack in linear memory, at its low end, with its pointer in a mutable global. Code that
/// overran it has left a pointer just below zero, 16-byte aligned, and then trapped on an address out of bounds.
pub(crate) fn has_overrun_shadow_stack(error: &Error, mut store: impl wasmtime::AsContextMut) -> bool {
    const FARTHEST_BELOW_ZERO: i32 = -(256 << 20);
    error.downcast_ref::<WasmCoreDump>().is_some_and(|dump| {
        dump.globals().iter().any(|global| {
            let is_mutable = global.ty(&store).mutability() == wasmtime::Mutability::Var;
            let value = global.get(&mut store).i32();
            is_mutable && value.is_some_and(|value| (FARTHEST_BELOW_ZERO..0).contains(&value) && value % 16 == 0)
        })
    })
}

/// Wasmtime's name of the trap, in our spelling: `unreachable_code_reached`.
fn code(trap: Trap) -> String {
    let mut code = String::new();
    for character in format!("{trap:?}").chars() {
        if character.is_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(character.to_ascii_lowercase());
    }
    code
}

pub(crate) fn reply_too_large(limits: &Limits) -> String {
    format!("the reply is larger than {}", size(limits.reply_bytes))
}

pub(crate) fn out_of_time(limits: &Limits) -> String {
    format!("it did not answer within {}", time(limits.wall_time))
}

fn out_of_memory(limits: &Limits) -> String {
    format!("it needs more memory than {}", size(limits.memory_bytes))
}

fn too_many_handles(limits: &Limits) -> String {
    format!("it held more than {} handles at once", limits.handles)
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).to_string()
}

fn time(time: std::time::Duration) -> String {
    humantime::format_duration(time).to_string()
}
