use axum::http::{HeaderMap, HeaderValue};
use uuid::Uuid;

/// The longest id of a client's that is sent back.
const LIMIT: usize = 256;

/// The ids that an answer bears in its body alone, as an extension of the answer, for the log.
#[derive(Clone, Copy, Debug)]
pub struct BodyIds {
    /// The request's own.
    pub request: Option<Uuid>,
    /// That of the client's whole undertaking.
    pub correlation: Uuid,
}

/// The id that the client gave to its request, to be sent back with the answer.
pub fn client_request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get("x-ms-client-request-id");
    id.filter(|id| id.len() <= LIMIT).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_too_long_is_not_sent_back() {
        for (length, is_sent) in [(0, true), (256, true), (257, false)] {
            let id = "x".repeat(length).parse().unwrap();
            let headers = HeaderMap::from_iter([("x-ms-client-request-id".parse().unwrap(), id)]);
            assert_eq!(client_request_id(&headers).is_some(), is_sent, "{length}");
        }
    }
}
