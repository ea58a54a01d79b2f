mod filter;

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use sealock_api as api;

use self::filter::Filter;
use super::{Answer, call::Call};

/// Streams the matching events of the vaults' audit log, one JSON object per line. With `follow`, waits for new events.
pub(super) async fn audit(call: Call<api::ShowAudit>) -> Answer<Response> {
    let (services, follow) = (call.services, call.query.follow);
    let filter = Filter::parse(&call.query)?;
    let filter = Arc::new(filter.resolve_application(&services.directory).await?);
    let end = services.store.audit.end();
    let lines = stream::try_unfold(0, move |offset| {
        let (services, filter) = (services.clone(), filter.clone());
        async move {
            if offset >= end && follow {
                tokio::select! {
                    () = services.store.audit.wait_past(offset) => {}
                    () = services.shutdown.cancelled() => return Ok(None),
                }
            } else if offset >= end {
                return Ok(None);
            }
            let (lines, next) = services.store.audit.read(offset)?;
            Ok::<_, sealock_store::Error>(Some((Bytes::from(filter.select(lines)), next)))
        }
    });
    let content_type = [(header::CONTENT_TYPE, api::JSON_LINES)];
    Ok((content_type, Body::from_stream(lines)).into_response())
}
