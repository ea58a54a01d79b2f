use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Bytes, HttpBody},
    http::Version,
};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::timeout;

/// How much of a body that nobody wants is read all the same, and for how long.
const DRAIN_BYTES: usize = 4 << 20;
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// A request's body that leaves behind what its reader did not want.
pub(crate) struct Body {
    incoming: Option<Incoming>,
    /// True for a body that marks its end. One in chunks does not.
    marks_end: bool,
    unread: Unread,
}

/// A reason for which a body did not come whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The connection ended, or brought something else.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// The client of an HTTP/2 stream reset it without an error, which hyper takes for the end of its body.
    #[error("the client took the request back before it was sent whole")]
    TakenBack,
}

/// What is left of a body once its reader is done with it.
#[derive(Clone, Default)]
pub(crate) struct Unread(Arc<Mutex<Option<Incoming>>>);

impl Body {
    pub(crate) fn new(incoming: Incoming, version: Version) -> (Self, Unread) {
        let unread = Unread::default();
        let body = Self {
            incoming: Some(incoming),
            marks_end: version == Version::HTTP_2,
            unread: unread.clone(),
        };
        (body, unread)
    }
}

impl Unread {
    /// Reads on for a while, in the background: a client that sends much reads the answer meanwhile and stops. One that is
    /// refused in the middle of sending would otherwise find the connection reset, and never learn why.
    pub(crate) fn drain(self) {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(left) = left {
            // What is still coming then ends with the connection.
            tokio::spawn(timeout(DRAIN_LIMIT, drain(left)));
        }
    }
}

async fn drain(mut body: Incoming) {
    let mut drained = 0;
    while let (true, Some(Ok(frame))) = (drained < DRAIN_BYTES, body.frame().await) {
        drained += frame.data_ref().map_or(0, Bytes::len);
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let marks_end = self.marks_end;
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(&mut *incoming).poll_frame(context)) {
            Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
            Some(Err(error)) => Some(Err(error.into())),
            None if marks_end && !incoming.is_end_stream() => Some(Err(BodyError::TakenBack)),
            None => None,
        };
        self.incoming = None;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let left = self.incoming.take().filter(|body| !body.is_end_stream());
        *self.unread.0.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }
}
