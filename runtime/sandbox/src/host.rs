//! The host's side of one run: what its limits count, and the state behind its host functions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chacha20::ChaCha12Rng;
use model::{Event, HttpCall, Limits, Usage};
use rand::SeedableRng as _;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtxView;

use crate::capabilities::clock::{CoarseMonotonicClock, CoarseWallClock};
use crate::capabilities::http::{Http, Sent};
use crate::capabilities::key_value::Buckets;
use crate::capabilities::log::{Journal, Stream};
use crate::capabilities::stdio::{Output, ReplyBuffer};
use crate::failure::Evidence;
use crate::grants::Grants;
use crate::inputs::Inputs;
use crate::key_value::{KeyValue, Write};
use crate::memory::Memory;
use crate::pace::Pace;

/// The most random bytes that a guest can ask for at once. In all it draws what its CPU time is good for, because they are made within its own
/// poll: ten thousand times as many, the host calls of a run by default, take more than two seconds of it, and a run has one.
pub(crate) const MAX_RANDOM_BYTES: u64 = 64 << 10;

/// What a program is called, which most take for granted to be their first argument.
const PROGRAM: &str = "handler";

/// The data of a run's `Store`: made for the run, dropped with it.
pub(crate) struct Host {
    pub(crate) limits: Limits,
    pub(crate) memory: Memory,
    pub(crate) pace: Arc<Pace>,
    pub(crate) journal: Journal,
    /// What a guest has said of a log text that goes on.
    pub(crate) log_text: Vec<u8>,
    calls: u64,
    stdio: Stdio,
    wasi: Option<Box<WasiP1Ctx>>,
    inputs: Inputs,
    http: Option<Box<Http>>,
    buckets: Option<Box<Buckets>>,
    _alive: Alive,
}

/// What the guest's standard streams are.
pub(crate) enum Stdio {
    /// Nothing to read; all output is log.
    Quiet,
    /// The event on standard input, the reply on standard output.
    Command { event: String, reply: ReplyBuffer },
}

impl Host {
    pub(crate) fn new(limits: Limits, inputs: Inputs, pace: Arc<Pace>, stdio: Stdio, alive: Alive) -> Self {
        Self {
            limits,
            memory: Memory::new(limits.memory_bytes),
            pace,
            journal: Journal::new(limits.log_bytes),
            log_text: Vec::new(),
            calls: 0,
            stdio,
            wasi: None,
            inputs,
            http: None,
            buckets: None,
            _alive: alive,
        }
    }

    pub(crate) const fn count_call(&mut self) {
        self.calls += 1;
    }

    pub(crate) const fn calls_exceeded(&self) -> bool {
        self.calls > self.limits.host_calls
    }

    /// WASI, preview 1 and 0.2 alike, for one call. The first of a run builds it: a lean guest makes none and pays for none.
    pub(crate) fn wasi(&mut self) -> &mut WasiP1Ctx {
        self.count_call();
        let (stdio, journal, limits, inputs) = (&self.stdio, &self.journal, &self.limits, &self.inputs);
        self.wasi.get_or_insert_with(|| Box::new(wasi(stdio, journal, limits, inputs)))
    }

    /// What is behind `wasi:http`, for one call.
    pub(crate) fn wasi_http(&mut self) -> WasiHttpCtxView<'_> {
        self.count_call();
        let Self { stdio, journal, limits, inputs, pace, wasi: built, http, .. } = self;
        let wasi = built.get_or_insert_with(|| Box::new(wasi(stdio, journal, limits, inputs)));
        let http = http.get_or_insert_with(|| Box::new(Http::new(&inputs.grants, limits, pace)));
        WasiHttpCtxView { ctx: &mut http.context, table: wasi.ctx().table, hooks: &mut http.outbound }
    }

    /// The requests of this run.
    pub(crate) fn http(&mut self) -> &mut Http {
        let (grants, limits, pace) = (&self.inputs.grants, &self.limits, &self.pace);
        self.http.get_or_insert_with(|| Box::new(Http::new(grants, limits, pace)))
    }

    /// What this run keeps in mind of its buckets, and its limits.
    pub(crate) fn buckets(&mut self) -> (&mut Buckets, &Limits) {
        (self.buckets.get_or_insert_default(), &self.limits)
    }

    pub(crate) const fn grants(&self) -> &Grants {
        &self.inputs.grants
    }

    /// What this run wrote, to be kept now that it has replied; and where. Nothing where it opened no bucket.
    pub(crate) fn take_writes(&mut self) -> Option<(Vec<Write>, Arc<dyn KeyValue>)> {
        let writes = self.buckets.as_mut()?.take();
        Some((writes, Arc::clone(&self.inputs.grants.granted()?.store)))
    }

    /// What an error of the handler's may be a consequence of.
    pub(crate) fn evidence(&self) -> Evidence<'_> {
        Evidence {
            limits: &self.limits,
            has_failed_call: self.http.as_ref().is_some_and(|http| http.has_failed_call()),
            memory_was_refused: self.memory.was_refused(),
        }
    }

    /// The requests of this run, which is over, and what they came to.
    pub(crate) fn http_calls(&self) -> (Vec<HttpCall>, Sent) {
        self.http.as_ref().map(|http| http.finish()).unwrap_or_default()
    }

    /// What the run used, but for its reply and its log.
    pub(crate) fn usage(&self, event: &Event, http: Sent) -> Usage {
        let kv = self.buckets.as_ref().map(|buckets| buckets.used()).unwrap_or_default();
        Usage {
            wall_time: self.pace.wall_time(),
            cpu_time: self.pace.cpu_time(),
            memory_bytes: self.memory.peak_bytes(),
            host_calls: self.calls,
            event_bytes: event.as_str().len() as u64,
            reply_bytes: 0,
            log_bytes: 0,
            http_calls: http.calls,
            http_request_bytes: http.request_bytes,
            http_response_bytes: http.response_bytes,
            kv_calls: kv.calls,
            kv_data_bytes: kv.bytes,
        }
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi().ctx()
    }
}

fn wasi(stdio: &Stdio, journal: &Journal, limits: &Limits, inputs: &Inputs) -> WasiP1Ctx {
    let seeds = inputs.randomness.seeds();
    let mut context = WasiCtx::builder();
    context
        .wall_clock(CoarseWallClock(inputs.wall_clock.clone()))
        .monotonic_clock(CoarseMonotonicClock::start(inputs.monotonic_clock.clone()))
        .secure_random(ChaCha12Rng::from_seed(seeds.secure))
        .insecure_random(ChaCha12Rng::from_seed(seeds.insecure))
        .insecure_random_seed(seeds.insecure_seed)
        .max_random_size(MAX_RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .stderr(Output::Log(journal.clone(), Stream::Stderr));
    match stdio {
        Stdio::Quiet => context.stdout(Output::Log(journal.clone(), Stream::Stdout)),
        Stdio::Command { event, reply } => {
            context.arg(PROGRAM).stdin(MemoryInputPipe::new(event.clone())).stdout(Output::Reply(reply.clone()))
        }
    };
    let mut wasi = context.build_p1();
    wasi.ctx().table.set_max_capacity(usize::try_from(limits.handles).unwrap_or(usize::MAX));
    wasi
}

/// Counts the stores that exist, from before the first instruction until the last page is given back.
pub(crate) struct Alive(Arc<AtomicU64>);

impl Alive {
    pub(crate) fn new(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
