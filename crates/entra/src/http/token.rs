//! `POST /{tenant}/oauth2[/v2.0]/token`: where applications log in. There are none yet but managed
//! identities, which have no secrets and get their tokens elsewhere, so it knows refusals alone.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use axum::{body::Body, response::Response};
use http_body_util::{BodyExt as _, Limited};
use zeroize::Zeroizing;

use super::{Call, discovery::check_tenant};
use crate::{Error, Result};

const FORM_LIMIT: usize = 64 * 1024;

pub(super) async fn answer(call: &Call<'_>, tenant: &str, body: Body) -> Result<Response> {
    call.expect("POST")?;
    check_tenant(call, tenant)?;
    let form = match Limited::new(body, FORM_LIMIT).collect().await {
        Ok(form) => Zeroizing::new(form.to_bytes().to_vec()),
        Err(error) => return Err(Error::BodyIncomplete(error.to_string())),
    };
    let field = |name: &'static str| {
        url::form_urlencoded::parse(&form)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.chars().take(80).collect::<String>())
            .filter(|value| !value.is_empty())
            .ok_or(Error::ParameterMissing(name))
    };
    let grant = field("grant_type")?;
    if grant != "client_credentials" {
        return Err(Error::GrantUnsupported(grant));
    }
    let client = field("client_id")?;
    let directory = call.issuer.directory();
    let known = match client.parse() {
        Ok(id) => directory.identity_by_client_id(id)?,
        Err(_) => None,
    };
    Err(match known {
        Some(_) => Error::ClientSecretInvalid(client),
        None => Error::ApplicationNotFound {
            client,
            tenant: directory.tenant(),
        },
    })
}
