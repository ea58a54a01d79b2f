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

use super::pace::Pace;

/// The number of bytes of an unwanted body that are read and discarded.
const DRAIN_BYTES: usize = 4 << 20;

/// The time in which a client has to send [`LEAST_BYTES`](super::pace::LEAST_BYTES) of a body.
pub(super) const READ_LIMIT: Duration = Duration::from_mins(1);

/// The time for which an unwanted body is read and discarded.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// The body of a request. Its reader may drop it before the end, and leaves the rest in [`Unread`].
pub(crate) struct Body {
    incoming: Option<Incoming>,
    /// True if the protocol marks the end of a body, so that a body that ends without the mark is incomplete.
    marks_end: bool,
    pace: Pace,
    unread: Unread,
}

/// The reason why a body is incomplete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IncompleteBody {
    /// The connection ended or carried invalid data.
    #[error(transparent)]
    Connection(#[from] hyper::Error),
    /// The client reset its HTTP/2 stream without an error, which hyper reports as the end of the body.
    #[error("the client cancelled the request before its body was complete")]
    Cancelled,
    /// The client sends nothing, or too little.
    #[error("the client sent less than 64 KiB of the body in a minute")]
    TooSlow,
}

/// The rest of a body that its reader dropped before the end.
#[derive(Clone, Default)]
pub(crate) struct Unread(Arc<Mutex<Option<Incoming>>>);

impl Body {
    pub(crate) fn new(incoming: Incoming, version: Version) -> (Self, Unread) {
        let unread = Unread::default();
        let body = Self {
            incoming: Some(incoming),
            marks_end: version == Version::HTTP_2,
            pace: Pace::new(READ_LIMIT),
            unread: unread.clone(),
        };
        (body, unread)
    }
}

impl Unread {
    /// Reads and discards the rest for a while, in the background. A client that is refused while it sends would otherwise
    /// see the connection reset instead of the answer.
    pub(crate) fn drain(self) {
        let rest = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(rest) = rest {
            tokio::spawn(timeout(DRAIN_LIMIT, drain(rest)));
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
    type Error = IncompleteBody;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncompleteBody>>> {
        let body = &mut *self;
        let Some(incoming) = &mut body.incoming else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(context) else {
            body.pace.wait();
            ready!(body.pace.poll_too_slow(context));
            return Poll::Ready(Some(Err(IncompleteBody::TooSlow)));
        };
        let frame = match frame {
            Some(Ok(frame)) => {
                body.pace.advance(frame.data_ref().map_or(0, Bytes::len));
                return Poll::Ready(Some(Ok(frame)));
            }
            Some(Err(error)) => Some(Err(error.into())),
            None if body.marks_end && !incoming.is_end_stream() => {
                Some(Err(IncompleteBody::Cancelled))
            }
            None => None,
        };
        body.incoming = None;
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
        let rest = self.incoming.take().filter(|body| !body.is_end_stream());
        *self.unread.0.lock().unwrap_or_else(PoisonError::into_inner) = rest;
    }
}
