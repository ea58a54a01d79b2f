use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream;

use super::{ControlError, audit_query::AuditQuery, extract::Query};
use crate::services::Services;

/// The vaults' audit events that are wanted, one JSON object a line, and with `follow` those that come.
pub(super) async fn audit(
    State(services): State<Services>,
    Query(query): Query<AuditQuery>,
) -> Result<Response, ControlError> {
    let query = Arc::new(query.check()?.look_up(&services.directory).await?);
    let end = services.store.audit.end();
    let lines = stream::try_unfold(0, move |offset| {
        let (services, query) = (services.clone(), query.clone());
        async move {
            if offset >= end && query.follow {
                tokio::select! {
                    () = services.store.audit.grown_beyond(offset) => {}
                    () = services.shutdown.cancelled() => return Ok(None),
                }
            } else if offset >= end {
                return Ok(None);
            }
            let (lines, next) = services.store.audit.read(offset)?;
            Ok::<_, sealock_store::Error>(Some((Bytes::from(query.select(lines)), next)))
        }
    });
    let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((content_type, Body::from_stream(lines)).into_response())
}
