//! Reading a request's body, bounded in bytes and in time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::timeout;

/// Room that is made for a body before it has come: a length is only a claim.
const CLAIMED_BYTES: usize = 64 << 10;

/// Why a body could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// Answered with 413.
    #[error("the body is larger than this address takes")]
    TooLarge,
    /// Answered with 408.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// The client went away, or framed the body wrongly. Answered with 400, if anybody still listens.
    #[error("the body ended early or was framed wrongly")]
    Broken,
}

/// The whole of `body`.
///
/// A length above `max_bytes` is refused before anything is read, so that a client that waits for `100 Continue` never
/// sends it; a body without a length is refused at the byte that is too many. A body that came in one piece is not copied.
///
/// # Errors
/// See [`BodyError`].
pub(crate) async fn read_body<B>(body: B, max_bytes: usize, time: Duration) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let claimed = body.size_hint().lower();
    if claimed > u64::try_from(max_bytes).unwrap_or(u64::MAX) {
        return Err(BodyError::TooLarge);
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let room = usize::try_from(claimed).unwrap_or(CLAIMED_BYTES).min(CLAIMED_BYTES);
    timeout(time, collect(body, max_bytes, room)).await.unwrap_or(Err(BodyError::TimedOut))
}

async fn collect<B>(mut body: B, max_bytes: usize, room: usize) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if whole.len() + data.len() > max_bytes {
            return Err(BodyError::TooLarge);
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        if whole.is_empty() {
            whole.reserve(room);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}
