//! The login of a client at the token endpoint.

use axum::http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use sealock_core::{ClientId, excerpt};
use sealock_http::{Credentials, Query};
use zeroize::Zeroizing;

use super::call::{Call, required};
use crate::{Error, Principal, Result, TENANT};

/// The only type of assertion (RFC 7523, 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The credentials of a client.
pub(super) enum ClientLogin {
    Secret {
        client: Zeroizing<String>,
        secret: Zeroizing<String>,
    },
    Assertion {
        client: Option<Zeroizing<String>>,
        assertion: Zeroizing<String>,
    },
}

impl ClientLogin {
    /// Reads the credentials in the form or the header (RFC 6749, 2.3.1).
    pub(super) fn read(form: &Query, headers: &HeaderMap) -> Result<Self> {
        let given = |text: &str| Zeroizing::new(text.to_owned());
        if let Some(assertion) = form.non_empty("client_assertion") {
            let kind = required(form, "client_assertion_type")?;
            if kind != JWT_BEARER {
                return Err(Error::AssertionMalformed);
            }
            return Ok(Self::Assertion {
                client: form.non_empty("client_id").map(given),
                assertion: given(assertion),
            });
        }
        if form.non_empty("client_secret").is_none()
            && let Some((client, secret)) = basic(headers)
        {
            return Ok(Self::Secret { client, secret });
        }
        let client = required(form, "client_id")?;
        let secret = form.non_empty("client_secret");
        let secret = secret.ok_or(Error::ClientCredentialMissing)?;
        Ok(Self::Secret {
            client: given(client),
            secret: given(secret),
        })
    }

    /// Logs in the client. Returns its principal and the kind of its credential, as in the claim `appidacr`.
    pub(super) async fn verify(&self, call: &Call<'_>) -> Result<(Principal, &'static str)> {
        match self {
            Self::Secret { client, secret } => {
                let application = call.issuer.directory().log_in(client, secret).await?;
                Ok((application.into(), "1"))
            }
            Self::Assertion { client, assertion } => {
                let client = client.as_ref().map(|client| client.as_str());
                let authority = format!("{}/", call.connection.origin());
                let login = call
                    .issuer
                    .log_in_with_assertion(client, assertion, &authority);
                Ok((login.await?, "2"))
            }
        }
    }
}

/// Reads the client through which a user signs in. A client that sends credentials must be an application. Any other id is
/// that of a public client, such as `az`.
pub(super) async fn public_client(call: &Call<'_>, form: &Query) -> Result<ClientId> {
    let has_credentials = ["client_secret", "client_assertion"]
        .into_iter()
        .any(|name| form.non_empty(name).is_some())
        || basic(&call.headers).is_some();
    if has_credentials {
        let login = ClientLogin::read(form, &call.headers)?;
        return Ok(login.verify(call).await?.0.client_id());
    }
    client_id(required(form, "client_id")?)
}

/// Parses a client id.
pub(super) fn client_id(text: &str) -> Result<ClientId> {
    text.parse().map_err(|_| Error::ClientUnknown {
        client: excerpt(text).to_owned(),
        tenant: TENANT,
    })
}

/// Reads the client's id and secret from the header, where each is encoded as in a form.
fn basic(headers: &HeaderMap) -> Option<(Zeroizing<String>, Zeroizing<String>)> {
    let Credentials::Basic(client, secret) =
        Credentials::parse(headers.get(header::AUTHORIZATION)?)?
    else {
        return None;
    };
    let decode = |text: &str| {
        let text = Zeroizing::new(text.replace('+', " "));
        let decoded = percent_decode_str(&text).decode_utf8().ok()?;
        Some(Zeroizing::new(decoded.into_owned()))
    };
    Some((decode(&client)?, decode(&secret)?))
}
