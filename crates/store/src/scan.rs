use std::{
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

use crate::{
    Entry, Result, Table,
    key::end_of,
    metadata::{Item, Metadata},
};

/// The number of items in the first page of a scan. Many scans need only a few.
const FIRST_PAGE: usize = 16;

/// The maximum number of items in a page.
const LARGEST_PAGE: usize = 512;

/// The range of keys of a scan.
pub(crate) struct Range {
    pub(crate) prefix: Vec<u8>,
    pub(crate) start: Bound<Vec<u8>>,
    pub(crate) end: Vec<u8>,
}

impl Range {
    pub(crate) fn new<T>(table: &Table<T>, prefix: &[&str], from: Bound<&str>) -> Self {
        let prefix = table.prefix(prefix);
        let start = match from.map(|segment| [prefix.as_slice(), segment.as_bytes()].concat()) {
            Bound::Unbounded => Bound::Included(prefix.clone()),
            bound => bound,
        };
        Self {
            end: end_of(&prefix),
            start,
            prefix,
        }
    }
}

/// A stream of the records that a scan finds.
pub struct Scan<T>(BoxStream<'static, Result<Entry<T>>>);

/// The pages that a scan has yet to read.
struct Pages {
    metadata: Arc<dyn Metadata>,
    start: Bound<Vec<u8>>,
    end: Vec<u8>,
    /// The number of items in the next page; zero after the last page.
    size: usize,
}

impl Pages {
    async fn next(mut self) -> Option<(Vec<Result<Item>>, Self)> {
        if self.size == 0 {
            return None;
        }
        let start = self.start.as_ref().map(Vec::as_slice);
        let page = self.metadata.page(start, &self.end, self.size).await;
        match page.last() {
            Some(Ok((key, _))) if page.len() == self.size => {
                self.start = Bound::Excluded(key.clone());
                self.size = (self.size * 4).min(LARGEST_PAGE);
                // The embedded store never waits, so a long scan yields to other tasks here.
                tokio::task::yield_now().await;
            }
            _ => self.size = 0,
        }
        Some((page, self))
    }
}

impl<T: DeserializeOwned> Scan<T> {
    pub(crate) fn new(metadata: Arc<dyn Metadata>, range: Range) -> Self {
        let Range { prefix, start, end } = range;
        let first = Pages {
            metadata,
            start,
            end,
            size: FIRST_PAGE,
        };
        let items = stream::unfold(first, Pages::next).flat_map(stream::iter);
        let entries =
            items.map(move |item| item.and_then(|(key, raw)| Entry::decode(&prefix, &key, raw)));
        Self(entries.boxed())
    }
}

impl<T> Stream for Scan<T> {
    type Item = Result<Entry<T>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}
