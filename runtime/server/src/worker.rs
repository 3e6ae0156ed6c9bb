//! The workers of the front door: a thread each, with a runtime and a socket of its own.
//!
//! A connection, its events and their runs stay on one thread. Nothing of the management side runs here.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::service::service_fn;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::listen::{self, Listener, Settings, Socket, Tls};
use crate::server::{ServeError, Stops};
use crate::state::State;
use crate::webhook::Door;

/// For runs that are told to end to do so, and for their answers to be written.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Starts a worker for each socket of `listener`, and waits until all of them are up; what comes back ends when they do, with why.
///
/// # Errors
/// The system has no thread or no descriptors for one.
pub(crate) async fn start(
    listener: Listener,
    settings: &Settings,
    tls: Option<&Tls>,
    state: &Arc<State>,
    stops: &Stops,
) -> Result<JoinSet<Result<(), String>>, ServeError> {
    const CANNOT: &str = "cannot start a worker";
    let (mut workers, mut starting) = (JoinSet::new(), Vec::new());
    for (number, socket) in listener.into_sockets().into_iter().enumerate() {
        let (settings, tls, state, stops) = (settings.clone(), tls.cloned(), Arc::clone(state), stops.clone());
        let (started, start) = oneshot::channel();
        starting.push(start);
        let work = move || match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                let _ = started.send(Ok(()));
                runtime.block_on(work(socket, settings, tls, state, &stops))
            }
            Err(error) => {
                let _ = started.send(Err(error));
                Ok(())
            }
        };
        let thread = thread::Builder::new()
            .name(format!("front-door-{number}"))
            .spawn(work)
            .map_err(|error| ServeError::System(CANNOT, error))?;
        workers.spawn_blocking(move || match thread.join() {
            Ok(ended) => ended.map_err(|error| error.to_string()),
            Err(_) => Err("it panicked".to_owned()),
        });
    }
    for start in starting {
        // Who panics before it says anything is found among those that have ended.
        start.await.unwrap_or(Ok(())).map_err(|error| ServeError::System(CANNOT, error))?;
    }
    Ok(workers)
}

async fn work(
    socket: Socket,
    settings: Settings,
    tls: Option<Tls>,
    state: Arc<State>,
    stops: &Stops,
) -> io::Result<()> {
    let runs = TaskTracker::new();
    // A token of its own, so that workers don't meet at the lock of one.
    let cancelled = stops.runs.child_token();
    let door = Door::new(state, settings.body_timeout, runs.clone(), cancelled);
    let service = service_fn(move |request| door.clone().receive(request));
    listen::serve(socket, settings, tls, service, stops.drain.clone()).await?;
    // The connections are gone; runs whose callers left before them may not be.
    runs.close();
    let over_time = async {
        stops.runs.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = runs.wait() => {}
        () = over_time => warn!(runs = runs.len(), "runs did not end when they were told to"),
    }
    Ok(())
}
