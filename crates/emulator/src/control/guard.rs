use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::ControlError;
use crate::{control_token::ControlToken, listener::Peer};

/// Keeps the control API to this machine, and to whoever has the token, if there is one.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) token: Option<ControlToken>,
}

pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>();
    if !peer.is_some_and(|peer| peer.address.is_loopback()) {
        return ControlError::not_from_here().into_response();
    }
    let permitted = match &guard.token {
        Some(token) => bearer(request.headers()).is_some_and(|shown| token.is(shown)),
        None => true,
    };
    if permitted {
        next.run(request).await
    } else {
        ControlError::token_needed().into_response()
    }
}

/// The token in an `Authorization` header. <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
