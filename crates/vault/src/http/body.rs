use sealock_http::json;
use serde::de::DeserializeOwned;

use super::Call;
use crate::{
    BACKUP_BYTES, Error, Permit, Result,
    operation::{Access, Operation},
};

/// The limit for operations without a permission, because every caller with a token can send them.
const UNPERMITTED_BYTES: usize = 64 << 10;

impl Call<'_> {
    /// Reads the body as JSON, and converts it to the parameters of a permitted operation. A refusal is audited.
    pub(super) async fn read<O: Operation, B: DeserializeOwned, T>(
        &mut self,
        permit: Permit<O>,
        convert: impl FnOnce(B) -> Result<T>,
    ) -> Result<(Permit<O>, T)> {
        let limit = match O::ROW.access {
            // A backup is the largest body.
            Access::Permission(_) => BACKUP_BYTES,
            Access::Network | Access::Management(_) => UNPERMITTED_BYTES,
        };
        let body = std::mem::take(&mut self.body);
        permit
            .parse(async move {
                let body = sealock_http::read_body(body, limit).await;
                let body = body.map_err(|unread| {
                    Error::BadParameter(format!(
                        "The request's body cannot be read or is longer than {limit} bytes: {unread}."
                    ))
                })?;
                if body.is_empty() {
                    return Err(Error::BadParameter(
                        "The request has no body; expected a JSON object.".to_owned(),
                    ));
                }
                let body = json::parse_object(&body).map_err(|why| {
                    Error::BadParameter(format!(
                        "The request's body is not valid: {why}."
                    ))
                })?;
                convert(body)
            })
            .await
    }
}
