use std::fmt;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// The reason why a login was refused, as an extension of the answer. It is for the log: clients learn less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRefusalReason(String);

impl LoginRefusalReason {
    /// Wraps a sentence without a full stop.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }

    /// Returns the sentence.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The part of a service's error that every service renders alike.
pub trait ServiceError: fmt::Display {
    /// The name of the service in the log.
    const SERVICE: &'static str;

    /// Returns the status of the answer.
    fn status(&self) -> StatusCode;

    /// Returns the text for the client if the error's own text is for the log alone, since it may name files of the data
    /// directory. `None` if the client may read the error's own text.
    fn public_message(&self) -> Option<String>;

    /// Returns the allowed methods if the request's method is not allowed.
    fn allowed_methods(&self) -> Option<&str>;

    /// Returns the seconds after which the client may try again.
    fn retry_after(&self) -> Option<i64>;

    /// Returns the reason why a login was refused, for the log.
    fn login_refusal_reason(&self) -> Option<LoginRefusalReason>;
}

/// Renders an error. `body` wraps the text for the client in the service's own format.
pub fn render<E: ServiceError, B: IntoResponse>(
    error: &E,
    body: impl FnOnce(String) -> B,
) -> Response {
    let public = error.public_message().inspect(|_| {
        tracing::error!(%error, "the {} failed to serve a request", E::SERVICE);
    });
    let body = body(public.unwrap_or_else(|| error.to_string()));
    let mut response = (error.status(), body).into_response();
    if let Some(reason) = error.login_refusal_reason() {
        response.extensions_mut().insert(reason);
    }
    let headers = response.headers_mut();
    if let Some(allowed) = error.allowed_methods().and_then(header_value) {
        headers.insert(header::ALLOW, allowed);
    }
    if let Some(seconds) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Returns `text` as a header value, or `None` if it has characters that a header cannot carry.
pub fn header_value(text: impl AsRef<str>) -> Option<HeaderValue> {
    HeaderValue::from_str(text.as_ref()).ok()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};

    use super::*;

    /// An error with a status and the allowed methods.
    struct Sample(u16, Option<&'static str>);

    impl fmt::Display for Sample {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("/data/keys: denied")
        }
    }

    impl ServiceError for Sample {
        const SERVICE: &'static str = "sample";

        fn status(&self) -> StatusCode {
            StatusCode::from_u16(self.0).unwrap()
        }

        fn public_message(&self) -> Option<String> {
            (self.0 == 500).then(|| "it failed".to_owned())
        }

        fn allowed_methods(&self) -> Option<&str> {
            self.1
        }

        fn retry_after(&self) -> Option<i64> {
            (self.0 == 503).then_some(7)
        }

        fn login_refusal_reason(&self) -> Option<LoginRefusalReason> {
            (self.0 == 401).then(|| LoginRefusalReason::new("the password is wrong"))
        }
    }

    #[tokio::test]
    async fn answer_has_status_headers_and_the_public_text() {
        for (error, public, allow, retry_after) in [
            (Sample(403, None), "/data/keys: denied", None, None),
            (Sample(500, None), "it failed", None, None),
            (
                Sample(405, Some("GET, PUT")),
                "/data/keys: denied",
                Some("GET, PUT"),
                None,
            ),
            (Sample(503, None), "/data/keys: denied", None, Some("7")),
            (Sample(401, None), "/data/keys: denied", None, None),
        ] {
            let response = render(&error, |message| Body::from(format!("<{message}>")));
            assert_eq!(response.status(), error.status());
            let header = |name| response.headers().get(name).map(|it| it.to_str().unwrap());
            assert_eq!(header(header::ALLOW), allow);
            assert_eq!(header(header::RETRY_AFTER), retry_after);
            let reason = response.extensions().get::<LoginRefusalReason>();
            assert_eq!(reason.is_some(), response.status() == 401);
            let body = to_bytes(response.into_body(), 100).await.unwrap();
            assert_eq!(body, format!("<{public}>"));
        }
    }
}
