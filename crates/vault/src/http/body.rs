use sealock_http::json;
use serde::de::DeserializeOwned;

use super::Call;
use crate::{
    BACKUP_BYTES, Error, Permit, Result,
    operation::{Access, Operation},
};

/// The largest body that needs no permission: every caller with a token can have one read.
const OPEN_BYTES: usize = 64 << 10;

impl Call<'_> {
    /// Reads the parameters of a permitted operation from the body, which is JSON. `parameters` makes them of it.
    pub(super) async fn read<O: Operation, B: DeserializeOwned, T>(
        &mut self,
        permit: Permit<O>,
        parameters: impl FnOnce(B) -> Result<T>,
    ) -> Result<(Permit<O>, T)> {
        let limit = match O::ROW.access {
            // The largest is a backup.
            Access::Permission(_) => BACKUP_BYTES,
            Access::Network | Access::Operator(_) => OPEN_BYTES,
        };
        let body = std::mem::take(&mut self.body);
        permit
            .parse(async move {
                let body = sealock_http::read_body(body, limit).await;
                let body = body.map_err(|unread| {
                    Error::BadParameter(format!(
                        "The request's body did not arrive, or is longer than {limit} bytes: {unread}."
                    ))
                })?;
                if body.is_empty() {
                    return Err(Error::BadParameter(
                        "The request has no body; expected a JSON object.".to_owned(),
                    ));
                }
                let body = json::parse_object(&body).map_err(|why| {
                    Error::BadParameter(format!(
                        "The request's body is not what is expected: {why}."
                    ))
                })?;
                parameters(body)
            })
            .await
    }
}
