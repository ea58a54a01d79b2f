use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use serde::Deserialize;

use super::{ControlError, extract::Query};
use crate::services::Services;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    #[serde(default)]
    follow: bool,
}

/// The vault's audit events, one JSON object a line, and with `follow` those that come.
pub(super) async fn audit(
    State(services): State<Services>,
    Query(options): Query<Options>,
) -> Result<Response, ControlError> {
    let end = services.store.audit.end();
    let lines = stream::try_unfold(0, move |offset| {
        let services = services.clone();
        async move {
            if offset >= end && options.follow {
                tokio::select! {
                    () = services.store.audit.grown_beyond(offset) => {}
                    () = services.shutdown.cancelled() => return Ok(None),
                }
            } else if offset >= end {
                return Ok(None);
            }
            let (lines, next) = services.store.audit.read(offset)?;
            Ok::<_, sealock_store::Error>(Some((Bytes::from(lines), next)))
        }
    });
    let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((content_type, Body::from_stream(lines)).into_response())
}
