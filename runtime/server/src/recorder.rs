//! Run records on their way to storage: bounded in bytes, written in batches, dropped and counted where storage does not keep up.
//!
//! A record is made after its answer has gone, so nobody waits for it. What has not been written when the process is killed is lost: a second's worth
//! at the most, as long as storage answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use model::Record;
use storage::{RunPages, Storage, StorageError};
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::config::Records;
use crate::state::State;

/// Between two attempts to write where one has failed.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// Between two searches for records that are too old or too many.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);
/// For the last ones, when the server stops.
const LAST_WRITE_TIME: Duration = Duration::from_secs(5);

/// The way into storage.
pub(crate) struct Recorder {
    policy: Records,
    waiting: Mutex<Waiting>,
    /// What is being written, or could not be. Locked while it is: batches go one after another.
    batch: AsyncMutex<Option<Batch>>,
    half_full: Notify,
}

#[derive(Default)]
struct Waiting {
    records: Vec<Record>,
    /// What they take, and those that are being written.
    bytes: u64,
    written: u64,
    dropped: u64,
    failures: u64,
}

impl Waiting {
    fn count(&mut self, batch: &Batch) {
        self.written += batch.records;
        self.bytes -= batch.bytes;
    }
}

struct Batch {
    pages: RunPages,
    records: u64,
    bytes: u64,
}

/// How it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// Records that wait to be written, and the memory that they take.
    pub(crate) waiting: usize,
    pub(crate) waiting_bytes: u64,
    /// Records so far that were written.
    pub(crate) written: u64,
    /// Records so far for which there was no room.
    pub(crate) dropped: u64,
    /// Attempts so far to write a batch that failed.
    pub(crate) failures: u64,
}

impl Recorder {
    pub(crate) fn new(policy: Records) -> Self {
        Self { policy, waiting: Mutex::default(), batch: AsyncMutex::default(), half_full: Notify::new() }
    }

    /// Takes `records`, as far as there is room for them.
    pub(crate) fn write(&self, records: impl IntoIterator<Item = Record>) {
        let mut waiting = self.waiting();
        for record in records {
            let bytes = bytes_of(&record);
            if waiting.bytes.saturating_add(bytes) > self.policy.waiting_bytes {
                waiting.dropped += 1;
            } else {
                waiting.bytes += bytes;
                waiting.records.push(record);
            }
        }
        if waiting.bytes > self.policy.waiting_bytes / 2 {
            self.half_full.notify_one();
        }
    }

    /// Brings what waits into storage. Whoever reads records calls it first, and sees all that were made until then.
    ///
    /// # Errors
    /// [`StorageError`]; the records wait on.
    pub(crate) async fn settle(self: &Arc<Self>, storage: &Storage) -> Result<(), StorageError> {
        let (recorder, storage) = (Arc::clone(self), storage.clone());
        // A task of its own: a caller who leaves would take along what is between waiting and written.
        let settled = tokio::spawn(async move { recorder.write_out(&storage).await });
        settled.await.unwrap_or_else(|error| Err(StorageError::Invalid(error.to_string())))
    }

    async fn write_out(&self, storage: &Storage) -> Result<(), StorageError> {
        let mut current = self.batch.lock().await;
        if current.is_none() {
            *current = self.next_batch().await?;
        }
        while let Some(batch) = &*current {
            if let Err(error) = storage.write_runs(&batch.pages).await {
                self.waiting().failures += 1;
                return Err(error);
            }
            self.waiting().count(batch);
            *current = self.next_batch().await?;
        }
        Ok(())
    }

    /// All that waits, made into pages elsewhere: that takes milliseconds of computing for thousands of records.
    async fn next_batch(&self) -> Result<Option<Batch>, StorageError> {
        let (records, bytes) = {
            let mut waiting = self.waiting();
            let records = std::mem::take(&mut waiting.records);
            let bytes = records.iter().map(bytes_of).sum();
            (records, bytes)
        };
        if records.is_empty() {
            return Ok(None);
        }
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let pages = tokio::task::spawn_blocking(move || RunPages::of(records)).await;
        match pages.unwrap_or_else(|error| Err(StorageError::Invalid(error.to_string()))) {
            Ok(pages) => Ok(Some(Batch { pages, records: count, bytes })),
            Err(error) => {
                let mut waiting = self.waiting();
                waiting.dropped += count;
                waiting.bytes -= bytes;
                Err(error)
            }
        }
    }

    /// How it goes.
    pub(crate) fn standing(&self) -> Standing {
        let Waiting { records, bytes, written, dropped, failures } = &*self.waiting();
        Standing {
            waiting: records.len(),
            waiting_bytes: *bytes,
            written: *written,
            dropped: *dropped,
            failures: *failures,
        }
    }

    /// Nothing in here can be left half done, so a panic elsewhere does not spoil it.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what waits until `stop`, and then the last of it; forgets what need not be kept any more.
pub(crate) async fn keep(state: Arc<State>, stop: CancellationToken) {
    let (recorder, storage) = (&state.recorder, &state.stored.storage);
    let mut next_look = Instant::now();
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(if is_failing { TRY_AGAIN } else { recorder.policy.write_interval }) => {}
            () = recorder.half_full.notified(), if !is_failing => {}
        }
        let settled = recorder.settle(storage).await;
        match &settled {
            Ok(()) if is_failing => info!("run records are written again"),
            Ok(()) => {}
            Err(error) if is_failing => debug!(%error, "run records cannot be written"),
            Err(error) => warn!(%error, "run records cannot be written: they wait, as far as there is room"),
        }
        is_failing = settled.is_err();
        if next_look <= Instant::now() {
            next_look = Instant::now() + FORGET_INTERVAL;
            recorder.forget(storage).await;
        }
    }
    match timeout(LAST_WRITE_TIME, recorder.settle(storage)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            error!(%error, lost = recorder.standing().waiting, "the last run records could not be written");
        }
        Err(_) => error!(lost = recorder.standing().waiting, "the last run records could not be written in time"),
    }
}

impl Recorder {
    async fn forget(&self, storage: &Storage) {
        let oldest = Timestamp::now().checked_sub(self.policy.keep_time).unwrap_or(Timestamp::MIN);
        if let Err(error) = storage.forget_runs(oldest, self.policy.keep_bytes).await {
            warn!(%error, "old run records could not be removed");
        }
    }
}

/// About what a record takes in memory.
fn bytes_of(record: &Record) -> u64 {
    record.run.text_bytes().saturating_add(size_of::<Record>() as u64)
}

#[cfg(test)]
pub(crate) mod tests {
    use model::{ChatAfterwards, HttpCall, Limits, Log, Outcome, Reply, Run, RunId, Usage};

    use super::*;
    use crate::state::tests::state;

    pub(crate) fn record(tenant: &str, outcome: Outcome) -> Record {
        Record {
            id: RunId::fresh(),
            tenant: tenant.parse().unwrap(),
            node: "NODE".parse().unwrap(),
            revision: None,
            artifact: None,
            started_at: Timestamp::UNIX_EPOCH,
            run: Run { outcome, usage: Usage::default(), log: Log::default(), http_calls: Vec::new() },
            limits: Limits::DEFAULT,
            caller_left: false,
            chat_afterwards: ChatAfterwards::WithBot,
        }
    }

    pub(crate) fn reply(text: &str) -> Outcome {
        Outcome::Reply(Reply::parse(format!(r#"{{"status":true,"response":["{text}"]}}"#)).unwrap())
    }

    #[tokio::test]
    async fn what_is_taken_is_written_once_and_its_room_is_free_again() {
        let (_folder, state) = state("").await;
        let (recorder, storage) = (&state.recorder, &state.stored.storage);
        let records: Vec<Record> = (0..2500).map(|_| record("acme", reply("hi"))).collect();
        recorder.write(records.iter().cloned());
        assert_eq!(recorder.standing().waiting, 2500);
        let both = tokio::join!(recorder.settle(storage), recorder.settle(storage));
        both.0.unwrap();
        both.1.unwrap();
        let standing = recorder.standing();
        assert_eq!((standing.waiting, standing.waiting_bytes, standing.written, standing.dropped), (0, 0, 2500, 0));
        assert_eq!(storage.run(records[1234].id, None).await.unwrap(), records[1234]);
    }

    #[tokio::test]
    async fn what_finds_no_room_is_dropped_and_counted() {
        let recorder = Recorder::new(Records { waiting_bytes: 100_000, ..Records::default() });
        for _ in 0..50 {
            recorder.write([record("acme", reply(&"x".repeat(20_000)))]);
        }
        let standing = recorder.standing();
        assert_eq!((standing.waiting, standing.dropped), (4, 46));
        assert!(standing.waiting_bytes <= 100_000);
    }

    #[tokio::test]
    async fn the_calls_of_a_run_take_room_too() {
        let recorder = Recorder::new(Records { waiting_bytes: 100_000, ..Records::default() });
        let mut with_calls = record("acme", reply("hi"));
        let call = HttpCall {
            method: "GET".to_owned(),
            origin: "https://api.example.com".to_owned(),
            path: "/".repeat(250),
            status: None,
            refused: None,
            failed: Some("x".repeat(500)),
            request_bytes: 0,
            response_bytes: 0,
            after: Duration::ZERO,
            wall_time: Duration::ZERO,
        };
        with_calls.run.http_calls = vec![call; 50];
        recorder.write(vec![with_calls; 10]);
        let standing = recorder.standing();
        assert_eq!((standing.waiting, standing.dropped), (2, 8));
    }

    #[tokio::test]
    async fn while_storage_does_not_answer_records_wait() {
        let (_folder, state) = state("").await;
        let (recorder, storage) = (&state.recorder, &state.stored.storage);
        recorder.write([record("acme", reply("hi"))]);
        storage.close().await;
        recorder.settle(storage).await.unwrap_err();
        recorder.write([record("acme", reply("hi"))]);
        recorder.settle(storage).await.unwrap_err();
        let standing = recorder.standing();
        assert_eq!((standing.written, standing.dropped, standing.failures), (0, 0, 2));
        assert!(standing.waiting_bytes > 0);
    }
}
