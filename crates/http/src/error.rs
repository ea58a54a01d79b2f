use std::fmt;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// An error of a service, as far as every service answers with one alike.
pub trait ServiceError: fmt::Display {
    /// The service, as the log names it.
    const SERVICE: &'static str;

    /// The status of the answer.
    fn status(&self) -> StatusCode;

    /// What is told instead of the error's own text, which may name files of the data directory. The log has that.
    fn told_instead(&self) -> Option<String>;

    /// The methods that can be used, of one that cannot.
    fn allowed(&self) -> Option<&str>;

    /// In how many seconds the client may ask again.
    fn retry_after(&self) -> Option<i64>;
}

/// Renders an error. `body` makes the body of what is told, in the service's own shape.
pub fn render<E: ServiceError, B: IntoResponse>(
    error: &E,
    body: impl FnOnce(String) -> B,
) -> Response {
    let told = error.told_instead().inspect(|_| {
        tracing::error!(%error, "the {} cannot do what it was asked", E::SERVICE);
    });
    let body = body(told.unwrap_or_else(|| error.to_string()));
    let mut response = (error.status(), body).into_response();
    let headers = response.headers_mut();
    if let Some(allowed) = error.allowed().and_then(value) {
        headers.insert(header::ALLOW, allowed);
    }
    if let Some(seconds) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A header's value, unless the text can be none.
pub fn value(text: impl AsRef<str>) -> Option<HeaderValue> {
    HeaderValue::from_str(text.as_ref()).ok()
}
