use std::{
    io::{self, IoSlice},
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{io::AsyncWrite, net::tcp::OwnedWriteHalf};

use super::pace::{Pace, log_slow_reader};

/// The writing half of a connection. It fails once the client accepts too little of what waits for it, which ends the
/// connection. It is below TLS, so it counts what the system accepts.
pub(super) struct PacedWriter<W> {
    writer: W,
    pace: Pace,
    client: IpAddr,
}

/// A writer that can be told to end at once.
pub(super) trait Abort {
    /// Discards what the client has not accepted when the writer is dropped.
    fn abort_on_drop(&self);
}

impl Abort for OwnedWriteHalf {
    fn abort_on_drop(&self) {
        // Otherwise the system would keep some megabytes and offer them to the client.
        let _ = self.as_ref().set_zero_linger();
    }
}

impl<W> PacedWriter<W> {
    pub(super) fn new(writer: W, write_timeout: Duration, client: IpAddr) -> Self {
        Self {
            writer,
            pace: Pace::new(write_timeout),
            client,
        }
    }
}

impl<W: Abort> PacedWriter<W> {
    /// Counts what was written. Turns a wait that takes too long into an error.
    fn judge(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => self.pace.advance(bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                self.pace.wait();
                ready!(self.pace.poll_too_slow(context));
                log_slow_reader(self.client);
                self.writer.abort_on_drop();
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        written
    }
}

impl<W: AsyncWrite + Abort + Unpin> AsyncWrite for PacedWriter<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.writer).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.writer).poll_write_vectored(context, parts);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(context)
    }
}
