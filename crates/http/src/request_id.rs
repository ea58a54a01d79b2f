use axum::http::{HeaderMap, HeaderValue};

/// How long an id of a client's is at most that is sent back.
const LIMIT: usize = 256;

/// The id that the client gave to its request, to be sent back with the answer.
pub fn client_request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get("x-ms-client-request-id");
    id.filter(|id| id.len() <= LIMIT).cloned()
}
