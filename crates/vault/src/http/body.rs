use sealock_core::KeyName;
use sealock_http::json;
use serde::de::DeserializeOwned;

use super::Call;
use crate::{BACKUP_BYTES, Error, KeyPermission, Result};

/// The largest body that needs no permission, so that everybody with a token can have it read.
const OPEN_BYTES: usize = 64 << 10;

impl Call<'_> {
    /// The body as JSON, of a caller who reaches the vault and has the `permission`, if one is needed. A body of
    /// anybody else is not read, and what refuses the caller stands in its place. The operation judges all of it
    /// once more: that records a refusal, and counts what has changed while the body came.
    pub(super) async fn json<T: DeserializeOwned>(
        &mut self,
        key: Option<&KeyName>,
        permission: Option<KeyPermission>,
    ) -> Result<T> {
        let (service, vault, requester) = (&self.vaults.service, &self.vault, &self.requester);
        let limit = match permission {
            Some(permission) => {
                service
                    .permitted_vault(requester, vault, key, permission)
                    .await?;
                // The largest that is asked for is a backup.
                BACKUP_BYTES
            }
            None => {
                service.reachable_vault(requester, vault).await?;
                OPEN_BYTES
            }
        };
        let body = sealock_http::read_body(std::mem::take(&mut self.body), limit);
        let body = body.await.map_err(|unread| {
            Error::BadParameter(format!(
                "The request's body did not arrive, or is longer than {limit} bytes: {unread}."
            ))
        })?;
        if body.is_empty() {
            return Err(Error::BadParameter(
                "The request has no body; expected a JSON object.".to_owned(),
            ));
        }
        json::parse_object(&body).map_err(|why| {
            Error::BadParameter(format!(
                "The request's body is not what is expected: {why}."
            ))
        })
    }
}
