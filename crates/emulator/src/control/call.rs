//! The requests and answers of the control API.

use std::{error::Error as _, sync::Weak};

use axum::{
    Json,
    body::Bytes,
    extract::{self, FromRequest, FromRequestParts, RawPathParams, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use sealock_api::Operation;
use sealock_core::excerpt;
use serde::{
    Serialize,
    de::{DeserializeOwned, value},
};

use super::error::ControlError;
use crate::{
    routing::friendly_door::FriendlyDoor, services::Services, startup::instance::Instance,
    tls::Trust,
};

/// The result of an operation.
pub(super) type Answer<T> = Result<T, ControlError>;

/// The state of the control API's router.
#[derive(Clone)]
pub(super) struct ControlState {
    pub(super) services: Services,
    pub(super) trust: Trust,
    pub(super) friendly_door: FriendlyDoor,
    pub(super) instance: Weak<Instance>,
}

/// A parsed request for an operation.
pub(super) struct Call<O: Operation> {
    pub(super) services: Services,
    pub(super) trust: Trust,
    pub(super) friendly_door: FriendlyDoor,
    pub(super) instance: Weak<Instance>,
    /// The parameters of the path.
    pub(super) path: O,
    pub(super) query: O::Query,
    pub(super) body: O::Body,
}

/// The answer to an operation that succeeds.
pub(super) struct Reply<T> {
    /// The status. `None` for the operation's usual one.
    status: Option<StatusCode>,
    body: T,
}

impl<T> Reply<T> {
    /// Answers with 201 for a new resource, and with 200 for an existing one.
    pub(super) fn created_if(is_new: bool, body: T) -> Self {
        let status = if is_new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        Self {
            status: Some(status),
            body,
        }
    }
}

impl<T> From<T> for Reply<T> {
    fn from(body: T) -> Self {
        Self { status: None, body }
    }
}

impl<T: Serialize> Reply<T> {
    /// Renders the answer to an operation whose usual status is `usual`.
    pub(super) fn render(self, usual: StatusCode) -> Response {
        match self.status.unwrap_or(usual) {
            StatusCode::NO_CONTENT => StatusCode::NO_CONTENT.into_response(),
            status => (status, Json(self.body)).into_response(),
        }
    }
}

impl<O: Operation> FromRequest<ControlState> for Call<O> {
    type Rejection = ControlError;

    async fn from_request(request: Request, state: &ControlState) -> Result<Self, ControlError> {
        let (mut parts, body) = request.into_parts();
        let path = RawPathParams::from_request_parts(&mut parts, &()).await;
        let path = path.map_err(|rejection| {
            ControlError::unreadable(rejection.status(), rejection.body_text())
        })?;
        let path = O::deserialize(value::MapDeserializer::new(path.iter()))
            .map_err(|error: value::Error| ControlError::bad_request(error.to_string()))?;
        let query = extract::Query::try_from_uri(&parts.uri);
        let extract::Query(query) = query.map_err(|rejection| {
            let why = rejection.source().map(ToString::to_string);
            let why = why.unwrap_or_else(|| rejection.body_text());
            ControlError::bad_request(format!("the query is invalid: {}", excerpt(&why)))
        })?;
        let request = Request::from_parts(parts, body);
        let bytes = Bytes::from_request(request, &()).await;
        let bytes = bytes.map_err(|rejection| match rejection.status() {
            status @ StatusCode::PAYLOAD_TOO_LARGE => {
                ControlError::unreadable(status, "the body exceeds the limit of this operation")
            }
            status => ControlError::unreadable(status, rejection.body_text()),
        })?;
        let body = read_body(&bytes)?;
        let ControlState {
            services,
            trust,
            friendly_door,
            instance,
        } = state.clone();
        Ok(Self {
            services,
            trust,
            friendly_door,
            instance,
            path,
            query,
            body,
        })
    }
}

/// Parses a JSON body of any content type. A missing body is an empty object.
fn read_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ControlError> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    sealock_http::json::parse_object(bytes).map_err(ControlError::bad_request)
}
