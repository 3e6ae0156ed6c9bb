//! How long storage takes.

use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;

/// The upper ends of the buckets, in seconds: from what SQLite takes to the longest transfer.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// How long it took, in seconds, to do what was asked for or to fail at it.
#[derive(Clone, Debug)]
pub struct Times {
    /// To look things up in the database, and to remove what is too old.
    pub reads: Histogram,
    /// To change something in the database, from the wait for its turn to the disk.
    pub changes: Histogram,
    /// To keep, to read or to remove an artifact's bytes.
    pub objects: Histogram,
}

impl Default for Times {
    fn default() -> Self {
        let [reads, changes, objects] = [(); 3].map(|()| Histogram::new(BUCKETS));
        Self { reads, changes, objects }
    }
}

/// Does the work, and counts how long it took.
pub(crate) async fn timed<T>(histogram: &Histogram, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.await;
    histogram.observe(began.elapsed().as_secs_f64());
    done
}
