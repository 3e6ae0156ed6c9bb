//! What goes between hyper and the service: it counts, so that an idle connection is known.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::Service;
use pin_project_lite::pin_project;

/// What the service does for one connection. Bytes on the wire are no sign of life: an HTTP/2 client can answer pings
/// for ever, and never read the answer that it asked for.
#[derive(Debug, Default)]
pub(super) struct Activity {
    in_service: AtomicUsize,
    events: AtomicUsize,
}

impl Activity {
    /// Waits until nothing has happened for `idle`; that is noticed after at most a quarter of it more.
    pub(super) async fn rest(&self, idle: Duration) {
        const LOOKS: u32 = 4;
        let mut last = self.look();
        let mut still = 0;
        while still < LOOKS {
            tokio::time::sleep(idle / LOOKS).await;
            let now = self.look();
            still = if now.is_some() && now == last { still + 1 } else { 0 };
            last = now;
        }
    }

    /// A number that stays the same while nothing happens, or `None` while the service is at work.
    fn look(&self) -> Option<usize> {
        (self.in_service.load(Relaxed) == 0).then(|| self.events.load(Relaxed))
    }

    fn note(&self) {
        self.events.fetch_add(1, Relaxed);
    }
}

/// A service whose work is counted.
#[derive(Clone)]
pub(super) struct Counted<S> {
    pub(super) service: S,
    pub(super) activity: Arc<Activity>,
}

impl<S, B> Service<Request<Incoming>> for Counted<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    type Response = Response<CountedBody<B>>;
    type Error = S::Error;
    type Future = CountedFuture<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let work = Work::begin(&self.activity);
        CountedFuture { answer: self.service.call(request), work }
    }
}

/// A request in the service, until its answer's head is there or nobody wants it any more.
struct Work(Arc<Activity>);

impl Work {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.in_service.fetch_add(1, Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.note();
        self.0.in_service.fetch_sub(1, Relaxed);
    }
}

pin_project! {
    pub(super) struct CountedFuture<F> {
        #[pin]
        answer: F,
        work: Work,
    }
}

impl<F, B, E> Future for CountedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<CountedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.answer.poll(cx))?;
        let activity = Arc::clone(&this.work.0);
        Poll::Ready(Ok(response.map(|body| CountedBody { body, activity })))
    }
}

pin_project! {
    /// A body each of whose frames counts as a sign of life.
    pub(super) struct CountedBody<B> {
        #[pin]
        body: B,
        activity: Arc<Activity>,
    }
}

impl<B: Body> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        this.activity.note();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
