use std::fmt;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::RefusedLogin;

/// An error of a service, as far as every service answers with one alike.
pub trait ServiceError: fmt::Display {
    /// The service, as the log names it.
    const SERVICE: &'static str;

    /// The status of the answer.
    fn status(&self) -> StatusCode;

    /// The text that is told instead of the error's own, which may name files of the data directory. The log has that.
    fn told_instead(&self) -> Option<String>;

    /// The methods that can be used, of one that cannot.
    fn allowed(&self) -> Option<&str>;

    /// The seconds after which the client may ask again.
    fn retry_after(&self) -> Option<i64>;

    /// The reason for which a login was refused, if one was. The log has it, and the client need not.
    fn refused_login(&self) -> Option<RefusedLogin>;
}

/// Renders an error. `body` makes the body from the text that is told, in the service's own shape.
pub fn render<E: ServiceError, B: IntoResponse>(
    error: &E,
    body: impl FnOnce(String) -> B,
) -> Response {
    let told = error.told_instead().inspect(|_| {
        tracing::error!(%error, "the {} cannot do what it was asked", E::SERVICE);
    });
    let body = body(told.unwrap_or_else(|| error.to_string()));
    let mut response = (error.status(), body).into_response();
    if let Some(refused) = error.refused_login() {
        response.extensions_mut().insert(refused);
    }
    let headers = response.headers_mut();
    if let Some(allowed) = error.allowed().and_then(header_value) {
        headers.insert(header::ALLOW, allowed);
    }
    if let Some(seconds) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A header's value, unless the text can be none.
pub fn header_value(text: impl AsRef<str>) -> Option<HeaderValue> {
    HeaderValue::from_str(text.as_ref()).ok()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};

    use super::*;

    /// An error with a status, and with the methods that its path has.
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

        fn told_instead(&self) -> Option<String> {
            (self.0 == 500).then(|| "it failed".to_owned())
        }

        fn allowed(&self) -> Option<&str> {
            self.1
        }

        fn retry_after(&self) -> Option<i64> {
            (self.0 == 503).then_some(7)
        }

        fn refused_login(&self) -> Option<RefusedLogin> {
            (self.0 == 401).then(|| RefusedLogin::new("the password is wrong"))
        }
    }

    #[tokio::test]
    async fn an_answer_has_the_status_the_headers_and_only_what_may_be_told() {
        for (error, told, allow, retry_after) in [
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
            let refused = response.extensions().get::<RefusedLogin>();
            assert_eq!(refused.is_some(), response.status() == 401);
            let body = to_bytes(response.into_body(), 100).await.unwrap();
            assert_eq!(body, format!("<{told}>"));
        }
    }
}
