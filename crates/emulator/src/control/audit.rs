pub(super) mod filter;

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream::{self, Stream};
use sealock_api as api;
use sealock_store::{Journal, LongWork};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::filter::Filter;
use super::{Answer, call::Call};

/// Streams the matching events of the vaults' audit log, one JSON object per line. With `follow`, waits for new events.
pub(super) async fn audit(call: Call<api::ShowAudit>) -> Answer<Response> {
    let (services, follow) = (call.services, call.query.follow);
    let filter = Filter::parse(&call.query)?;
    let filter = filter.resolve_application(&services.directory).await?;
    let query = Query {
        journal: services.store.audit,
        filter: Arc::new(filter),
        follow,
        long_work: services.long_work,
        shutdown: services.shutdown,
    };
    let content_type = [(header::CONTENT_TYPE, api::JSON_LINES)];
    Ok((content_type, Body::from_stream(query.events())).into_response())
}

/// A query of the audit log.
#[derive(Clone)]
struct Query {
    journal: Journal,
    filter: Arc<Filter>,
    follow: bool,
    long_work: LongWork,
    shutdown: CancellationToken,
}

impl Query {
    /// Returns the matching events. Reads in steps beside the threads that serve requests, and only as fast as the client
    /// takes the events.
    fn events(self) -> impl Stream<Item = sealock_store::Result<Bytes>> {
        let (start, end) = (self.journal.start(), self.journal.end());
        stream::try_unfold((self, start), move |(query, mut offset)| async move {
            loop {
                if offset >= end && !query.follow {
                    return Ok(None);
                }
                if offset >= end {
                    tokio::select! {
                        () = query.journal.wait_past(offset) => {}
                        () = query.shutdown.cancelled() => return Ok(None),
                    }
                }
                let (lines, next) = query.step(offset).await?;
                offset = next;
                if !lines.is_empty() {
                    return Ok(Some((lines.into(), (query, offset))));
                }
            }
        })
    }

    /// Returns the matching ones of some events from `offset` on, and the offset after them.
    async fn step(&self, offset: u64) -> sealock_store::Result<(Vec<u8>, u64)> {
        let (journal, filter) = (self.journal.clone(), Arc::clone(&self.filter));
        let step = self.long_work.run(move || {
            let passage = journal.read(offset)?;
            let next = passage.end();
            let mut lines = gap_line(passage.start - offset);
            lines.extend(filter.select(passage.lines));
            Ok((lines, next))
        });
        step.await.map_err(std::io::Error::from)?
    }
}

/// Reports events that were removed before this query read them. It is a line like the others, so a client sees where the
/// gap is.
fn gap_line(bytes: u64) -> Vec<u8> {
    if bytes == 0 {
        return Vec::new();
    }
    let description = format!(
        "{bytes} bytes of events were removed before they could be sent; audit.max_files and audit.max_file_bytes limit how many are kept"
    );
    let line = json!({"category": "AuditGap", "resultDescription": description});
    format!("{line}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::TryStreamExt as _;
    use sealock_store::{JournalLimits, Store};

    use super::*;

    const LINE_BYTES: usize = 1024;

    fn query(store: &Store, follow: bool) -> Query {
        Query {
            journal: store.audit.clone(),
            filter: Arc::default(),
            follow,
            long_work: LongWork::new(1),
            shutdown: CancellationToken::new(),
        }
    }

    /// Writes lines of a kibibyte.
    async fn write(store: &Store, lines: usize) {
        for _ in 0..lines {
            // The quotes and the line feed belong to the line.
            store.journal(&"x".repeat(LINE_BYTES - 3)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn other_tasks_run_while_a_query_reads_the_log() {
        let store = Store::ephemeral();
        write(&store, 2048).await;
        let polls = Arc::new(AtomicUsize::new(0));
        let other = tokio::spawn({
            let polls = Arc::clone(&polls);
            async move {
                loop {
                    polls.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            }
        });
        let steps: Vec<Bytes> = query(&store, false).events().try_collect().await.unwrap();
        other.abort();
        assert_eq!(steps.concat().len(), 2048 * LINE_BYTES);
        assert!(steps.len() > 4 && polls.load(Ordering::Relaxed) >= steps.len());
    }

    #[tokio::test]
    async fn query_continues_after_removed_events_and_reports_the_gap() {
        let store = Store::ephemeral_with(JournalLimits {
            file_bytes: 512 * 1024,
            files: 2,
        });
        write(&store, 600).await;
        let mut events = Box::pin(query(&store, true).events());
        let first = events.try_next().await.unwrap().unwrap();
        write(&store, 2000).await;
        let gap = store.audit.start() - first.len() as u64;
        assert!(gap > 0);
        let next = events.try_next().await.unwrap().unwrap();
        let next = String::from_utf8(next.to_vec()).unwrap();
        let (notice, events) = next.split_once('\n').unwrap();
        assert!(
            notice.contains(&format!("{gap} bytes of events were removed")),
            "{notice}"
        );
        assert!(events.lines().all(|line| line.len() == LINE_BYTES - 1));
    }
}
