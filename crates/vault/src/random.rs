use sealock_core::VaultName;
use zeroize::Zeroizing;

use crate::{Error, Requester, Result, service::Service};

/// How many random bytes can be asked for at once.
const RANDOM_LIMIT: usize = 128;

impl Service {
    /// No key permission is for this, so whoever reaches the vault gets them.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/get-random-bytes/get-random-bytes>
    pub(crate) async fn random_bytes(
        &self,
        requester: &Requester,
        vault: &VaultName,
        count: Result<usize>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        self.reachable_vault(requester, vault).await?;
        requester.api_version_is_named()?;
        let count = count?;
        if !(1..=RANDOM_LIMIT).contains(&count) {
            return Err(Error::BadParameter(format!(
                "GetRandomBytesRequest: count cannot be greater than {RANDOM_LIMIT} or less than 1"
            )));
        }
        let mut bytes = Zeroizing::new(vec![0; count]);
        rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
        Ok(bytes)
    }
}
