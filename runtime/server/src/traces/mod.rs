//! Traces of events, for a collector that speaks OTLP over HTTP: where `[traces]` names one.
//!
//! Spans are made after the answer, of what was measured anyway, and wait in a queue that is bounded: an event never waits for a collector. They tell
//! who ran what, how it ended and what it took, and nothing of what was said.

mod context;
mod spans;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use model::{Run, RunId};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

pub(crate) use context::Trace;

use crate::config;
use crate::directory::Live;
use crate::state::State;

/// Events whose spans may wait for the collector.
const WAITING: usize = 2048;
/// Events whose spans go in one message.
const EVENTS_AT_ONCE: usize = 256;
/// As long do spans wait for others, to go with them.
const EXPORT_INTERVAL: Duration = Duration::from_secs(1);
/// For one message.
const EXPORT_TIME: Duration = Duration::from_secs(5);
/// For the last spans, once all runs have ended.
const FLUSH_TIME: Duration = Duration::from_secs(2);

/// Where spans go; one for each server.
#[derive(Default)]
pub(crate) struct Traces {
    on: Option<On>,
    dropped: AtomicU64,
}

struct On {
    settings: config::Traces,
    queue: Sender<Vec<SpanData>>,
    inbox: Mutex<Receiver<Vec<SpanData>>>,
}

impl Traces {
    pub(crate) fn new(settings: &config::Traces) -> Self {
        let on = settings.endpoint.is_some().then(|| {
            let (queue, inbox) = mpsc::channel(WAITING);
            On { settings: settings.clone(), queue, inbox: Mutex::new(inbox) }
        });
        Self { on, dropped: AtomicU64::new(0) }
    }

    /// The time, where events are traced.
    pub(crate) fn now(&self) -> Option<SystemTime> {
        self.on.as_ref().map(|_| SystemTime::now())
    }

    /// The trace that an event belongs to: the one that its sender says, or one of its own.
    pub(crate) fn begin(&self, received_at: SystemTime, headers: &HeaderMap) -> Option<Box<Trace>> {
        let on = self.on.as_ref()?;
        Some(Box::new(Trace::begin(received_at, headers, on.settings.sample_ratio)))
    }

    /// Takes the spans of an event that is over.
    pub(crate) fn take(&self, trace: &Trace, id: RunId, live: &Live, run: &Run, waited: Option<Duration>) {
        let Some(on) = self.on.as_ref().filter(|_| trace.is_sampled()) else { return };
        match on.queue.try_reserve() {
            Ok(place) => place.send(spans::of(trace, id, live, run, waited)),
            Err(_) => self.drop_spans(spans::count(waited)),
        }
    }

    /// Spans that did not get to the collector.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn drop_spans(&self, count: usize) {
        self.dropped.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Sends what is traced to the collector until `stop`, and then the last of it.
pub(crate) async fn keep(state: Arc<State>, stop: CancellationToken) {
    let traces = &state.traces;
    let Some(on) = &traces.on else { return };
    let exporter = match exporter(&on.settings) {
        Ok(exporter) => exporter,
        Err(error) => return warn!(%error, "events are not traced: the way to the collector cannot be set up"),
    };
    let too_late = async {
        stop.cancelled().await;
        sleep(FLUSH_TIME).await;
    };
    tokio::select! {
        () = Keeper { traces, exporter, is_failing: false }.run(on, &stop) => {}
        () = too_late => warn!("the collector did not take the last spans in time"),
    }
}

/// Who sends.
struct Keeper<'t> {
    traces: &'t Traces,
    exporter: SpanExporter,
    is_failing: bool,
}

impl Keeper<'_> {
    async fn run(mut self, on: &On, stop: &CancellationToken) {
        let mut inbox = on.inbox.lock().await;
        let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
        while stop.run_until_cancelled(inbox.recv_many(&mut events, EVENTS_AT_ONCE)).await.is_some() {
            if events.len() < EVENTS_AT_ONCE {
                stop.run_until_cancelled(sleep(EXPORT_INTERVAL)).await;
            }
            self.export(&mut inbox, &mut events).await;
        }
        while !inbox.is_empty() {
            self.export(&mut inbox, &mut events).await;
        }
    }

    /// Sends these events' spans, and of those that wait what goes with them. What the collector does not take is not tried again.
    async fn export(&mut self, inbox: &mut Receiver<Vec<SpanData>>, events: &mut Vec<Vec<SpanData>>) {
        while events.len() < EVENTS_AT_ONCE
            && let Ok(event) = inbox.try_recv()
        {
            events.push(event);
        }
        let spans: Vec<SpanData> = events.drain(..).flatten().collect();
        let count = spans.len();
        let failure = match timeout(EXPORT_TIME, self.exporter.export(spans)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it does not answer in time".to_owned()),
        };
        if let Some(why) = &failure {
            self.traces.drop_spans(count);
            if !self.is_failing {
                warn!(why, "the collector does not take spans: they are dropped until it does");
            }
        } else if self.is_failing {
            info!("the collector takes spans again");
        }
        self.is_failing = failure.is_some();
    }
}

fn exporter(settings: &config::Traces) -> anyhow::Result<SpanExporter> {
    // reqwest takes the process's provider; whoever was first has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(EXPORT_TIME).redirect(reqwest::redirect::Policy::none()).build()?;
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        Some((name.to_string(), value.to_str().ok()?.to_owned()))
    };
    let headers: HashMap<String, String> = settings.headers.iter().filter_map(header).collect();
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(settings.endpoint.as_ref().map(ToString::to_string).unwrap_or_default())
        .with_timeout(EXPORT_TIME)
        .with_headers(headers)
        .with_retry_policy(RetryPolicy::disabled())
        .build()?;
    let about = [
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
    ];
    exporter.set_resource(&Resource::builder_empty().with_service_name("codenode").with_attributes(about).build());
    Ok(exporter)
}
