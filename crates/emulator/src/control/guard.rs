use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use sealock_http::Credentials;

use super::ControlError;
use crate::{listener::Peer, routing::friendly_door::FriendlyDoor};

/// Keeps the control API to whoever has its token, and while the friendly door is open to whoever is on this machine.
pub(super) async fn check(
    State(door): State<FriendlyDoor>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>();
    let is_here = peer.is_some_and(|peer| peer.address.is_loopback());
    let shows_token = door.control_token().is_some_and(|token| {
        let shown = bearer(request.headers());
        shown.is_some_and(|shown| token.is(shown))
    });
    if shows_token || (is_here && door.is_open()) {
        next.run(request).await
    } else if is_here {
        ControlError::token_needed().into_response()
    } else {
        ControlError::not_from_here().into_response()
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    match Credentials::parse(headers.get(header::AUTHORIZATION)?)? {
        Credentials::Bearer(token) => Some(token),
        Credentials::Basic(..) => None,
    }
}
