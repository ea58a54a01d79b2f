use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use sealock_http::Credentials;

use super::ControlError;
use crate::{listener::Peer, routing::friendly_door::FriendlyDoor};

/// Requires the token of the control API. While the friendly door is open, clients on this machine need none.
pub(super) async fn check(
    State(door): State<FriendlyDoor>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>();
    let is_local = peer.is_some_and(|peer| peer.address.is_loopback());
    let has_token = door.control_token().is_some_and(|token| {
        let given = bearer(request.headers());
        given.is_some_and(|given| token.matches(given))
    });
    if has_token || (is_local && door.is_open()) {
        next.run(request).await
    } else if is_local {
        ControlError::token_required().into_response()
    } else {
        ControlError::remote_token_required().into_response()
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    match Credentials::parse(headers.get(header::AUTHORIZATION)?)? {
        Credentials::Bearer(token) => Some(token),
        Credentials::Basic(..) => None,
    }
}
