use axum::http::{HeaderMap, HeaderValue};
use uuid::Uuid;

/// The length limit of a client's request id. Longer ids are not echoed.
const LENGTH_LIMIT: usize = 256;

/// The ids that only the body of an answer shows. They travel as an extension of the answer, for the access log.
#[derive(Clone, Copy, Debug)]
pub struct BodyIds {
    /// The id of this request.
    pub request: Option<Uuid>,
    /// The id that the client's related requests share.
    pub correlation: Uuid,
}

/// Returns the client's own id of its request, to be echoed with the answer. `None` if it is missing or too long.
pub fn client_request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get("x-ms-client-request-id");
    id.filter(|id| id.len() <= LENGTH_LIMIT).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlong_request_id_is_not_echoed() {
        for (length, is_echoed) in [(0, true), (256, true), (257, false)] {
            let id = "x".repeat(length).parse().unwrap();
            let headers = HeaderMap::from_iter([("x-ms-client-request-id".parse().unwrap(), id)]);
            assert_eq!(client_request_id(&headers).is_some(), is_echoed, "{length}");
        }
    }
}
