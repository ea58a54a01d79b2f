use zeroize::Zeroizing;

use crate::{
    Error, Result,
    operation::{GetRandomBytes, Permit},
};

/// The maximum number of random bytes in a request.
const RANDOM_LIMIT: usize = 128;

impl Permit<GetRandomBytes> {
    /// Makes `count` random bytes, 1 to 128.
    pub async fn run(self, count: usize) -> Result<Zeroizing<Vec<u8>>> {
        self.run_to_end(move |permit| async move {
            // The vault may have been closed to the client while its body arrived.
            permit.judge().await?;
            if !(1..=RANDOM_LIMIT).contains(&count) {
                return Err(Error::BadParameter(format!(
                    "GetRandomBytesRequest: count cannot be greater than {RANDOM_LIMIT} or less than 1"
                )));
            }
            let mut bytes = Zeroizing::new(vec![0; count]);
            rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
            Ok(bytes)
        })
        .await
    }
}
