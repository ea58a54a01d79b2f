use std::{
    io,
    marker::PhantomData,
    ops::Bound,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use serde::de::DeserializeOwned;
use tokio::{runtime::Handle, task::coop::consume_budget};

use crate::{
    Entry, LongWork, Result, Table,
    key::end_of,
    metadata::{Direction, KeyRange, Metadata},
};

/// The number of items in the first page of a scan. Many scans need only a few.
const FIRST_PAGE: usize = 16;

/// The maximum number of items in a page.
const LARGEST_PAGE: usize = 512;

/// The range of keys of a scan.
pub(crate) struct Range {
    pub(crate) prefix: Vec<u8>,
    pub(crate) start: Bound<Vec<u8>>,
    pub(crate) end: Bound<Vec<u8>>,
    pub(crate) direction: Direction,
}

impl Range {
    /// Returns the keys that begin with `prefix`: the keys whose next segment satisfies `from`, or backward, those
    /// whose next segment satisfies it as an upper bound.
    pub(crate) fn new<T>(
        table: &Table<T>,
        prefix: &[&str],
        from: Bound<&str>,
        direction: Direction,
    ) -> Self {
        let prefix = table.prefix(prefix);
        let from = from.map(|segment| [prefix.as_slice(), segment.as_bytes()].concat());
        let (first, after) = (
            Bound::Included(prefix.clone()),
            Bound::Excluded(end_of(&prefix)),
        );
        let (start, end) = match (direction, from) {
            (_, Bound::Unbounded) => (first, after),
            (Direction::Forward, start) => (start, after),
            (Direction::Backward, end) => (first, end),
        };
        Self {
            prefix,
            start,
            end,
            direction,
        }
    }

    pub(crate) fn keys(&self) -> KeyRange<'_> {
        KeyRange {
            start: self.start.as_ref().map(Vec::as_slice),
            end: self.end.as_ref().map(Vec::as_slice),
            direction: self.direction,
        }
    }

    /// Drops the keys up to `last`, the last one that was read.
    fn continue_after(&mut self, last: Vec<u8>) {
        let last = Bound::Excluded(last);
        match self.direction {
            Direction::Forward => self.start = last,
            Direction::Backward => self.end = last,
        }
    }
}

/// A stream of the records that a scan finds.
pub struct Scan<T>(BoxStream<'static, Result<Entry<T>>>);

/// The pages that a scan has yet to read.
struct Pages<T> {
    metadata: Arc<dyn Metadata>,
    range: Range,
    /// The number of items in the next page.
    size: usize,
    records: PhantomData<fn() -> T>,
}

/// The entries of a page, and the pages that follow it.
type Page<T> = (Vec<Result<Entry<T>>>, Option<Pages<T>>);

impl<T: DeserializeOwned + Send + 'static> Pages<T> {
    /// Reads the next page: a small one at once, a larger one beside the threads that serve requests.
    async fn next(self, long_work: LongWork) -> Page<T> {
        if self.size == FIRST_PAGE {
            // The embedded store never waits, so a task of many scans yields to the others here.
            consume_budget().await;
            return self.read().await;
        }
        let runtime = Handle::current();
        let read = long_work.run(move || runtime.block_on(self.read()));
        let failed = |error| (vec![Err(io::Error::from(error).into())], None);
        read.await.unwrap_or_else(failed)
    }

    async fn read(mut self) -> Page<T> {
        let page = self.metadata.page(self.range.keys(), self.size).await;
        let has_more = page.len() == self.size;
        if let Some(Ok((key, _))) = page.last().filter(|_| has_more) {
            self.range.continue_after(key.clone());
        }
        let entries = page.into_iter().map(|item| {
            let (key, raw) = item?;
            Entry::decode(&self.range.prefix, &key, raw)
        });
        let entries: Vec<_> = entries.collect();
        self.size = (self.size * 4).min(LARGEST_PAGE);
        let has_more = has_more && !matches!(entries.last(), Some(Err(_)));
        (entries, has_more.then_some(self))
    }
}

impl<T: DeserializeOwned + Send + 'static> Scan<T> {
    pub(crate) fn new(metadata: Arc<dyn Metadata>, long_work: LongWork, range: Range) -> Self {
        let first = Pages {
            metadata,
            range,
            size: FIRST_PAGE,
            records: PhantomData,
        };
        let pages = stream::unfold(Some(first), move |pages| {
            let long_work = long_work.clone();
            async move { Some(pages?.next(long_work).await) }
        });
        Self(pages.flat_map(stream::iter).boxed())
    }
}

impl<T> Stream for Scan<T> {
    type Item = Result<Entry<T>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}
