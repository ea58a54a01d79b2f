use std::{
    io,
    path::{Path, PathBuf},
};

use sealock_store::{Batch, Store, Table, ownership};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::Error;

/// The environment variable that names a file for the control API's token outside the data directory. The emulator and the
/// command line both read it.
pub const CONTROL_TOKEN_FILE: &str = "SEALOCK_CONTROL_TOKEN_FILE";

/// The environment variable that names a file for App Service's identity header outside the data directory.
const IDENTITY_HEADER_FILE: &str = "SEALOCK_IDENTITY_HEADER_FILE";

/// The environment variable that names a file for the developer's secret outside the data directory.
const DEVELOPER_SECRET_FILE: &str = "SEALOCK_DEVELOPER_SECRET_FILE";

/// The token of the control API.
pub(crate) const CONTROL_TOKEN: SecretKind = SecretKind {
    name: "the control API's token",
    file: "control.token",
    variable: CONTROL_TOKEN_FILE,
    fingerprints: Table::content("control-token"),
};

/// The identity header of App Service's form of the managed identity endpoint.
pub(crate) const IDENTITY_HEADER: SecretKind = SecretKind {
    name: "the identity header",
    file: "identity.header",
    variable: IDENTITY_HEADER_FILE,
    fingerprints: Table::content("identity-header"),
};

/// The secret of the application `developer`.
pub(crate) const DEVELOPER_SECRET: SecretKind = SecretKind {
    name: "the developer's secret",
    file: "developer.secret",
    variable: DEVELOPER_SECRET_FILE,
    fingerprints: Table::content("developer-secret"),
};

const KEY: [&str; 1] = ["fingerprint"];

/// A secret of 32 random bytes, which the emulator shares with its clients through a file.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<[u8; 32]>);

/// A kind of secret.
pub(crate) struct SecretKind {
    /// Its name in errors.
    pub(crate) name: &'static str,
    /// Its file in the data directory.
    file: &'static str,
    /// The environment variable that names another file.
    pub(crate) variable: &'static str,
    /// The fingerprint of the secret in the data directory.
    fingerprints: Table<String>,
}

impl SecretKind {
    /// Loads the secret from its file, or creates both. The store keeps the fingerprint of a secret in the data directory.
    /// `None` if there is neither a data directory nor a file that the user names.
    pub(crate) async fn load_or_create(
        &self,
        data_dir: Option<&Path>,
        store: &Store,
    ) -> Result<Option<Secret>, Error> {
        if let Some(path) = std::env::var_os(self.variable).map(PathBuf::from) {
            if !path.exists() {
                Secret::random().write(&path)?;
            }
            return Ok(Some(self.read(ownership::open_named(&path)?, &path)?));
        }
        let Some(dir) = data_dir else {
            return Ok(None);
        };
        let path = dir.join(self.file);
        if !path.exists() {
            let secret = Secret::random();
            // Precedes the file, so that an existing file always matches the store.
            self.store_fingerprint(&secret, store).await?;
            secret.write(&path)?;
        }
        let secret = self.read(ownership::open_inside(&path)?, &path)?;
        match store.get(&self.fingerprints, &KEY).await? {
            Some(stored) if stored.value == secret.fingerprint() => {}
            Some(_) => {
                return Err(self.damaged(&path, "its fingerprint differs from the stored one"));
            }
            None => self.store_fingerprint(&secret, store).await?,
        }
        Ok(Some(secret))
    }

    fn read(&self, file: fs_err::File, path: &Path) -> Result<Secret, Error> {
        let text = Zeroizing::new(match ownership::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(self.damaged(path, "it is not text"));
            }
            text => text?,
        });
        Secret::parse(text.trim())
            .ok_or_else(|| self.damaged(path, "it is not 64 hexadecimal digits"))
    }

    fn damaged(&self, path: &Path, why: &'static str) -> Error {
        Error::SecretDamaged {
            secret: self.name,
            path: path.to_owned(),
            why,
            variable: self.variable,
        }
    }

    async fn store_fingerprint(&self, secret: &Secret, store: &Store) -> Result<(), Error> {
        let batch = Batch::new().put(&self.fingerprints, &KEY, &secret.fingerprint());
        let _unconditional = store.commit(batch).await?;
        Ok(())
    }
}

impl Secret {
    pub(crate) fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// Returns the secret in hexadecimal.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    fn write(&self, path: &Path) -> Result<(), Error> {
        Ok(sealock_store::create_secret(path, self.text().as_bytes())?)
    }

    /// Returns a hash that identifies the secret without revealing it.
    fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_slice()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, &mut *secret).ok()?;
        Some(Self(secret))
    }

    /// Compares the secret with hexadecimal text in constant time.
    pub(crate) fn matches(&self, hex: &str) -> bool {
        Self::parse(hex).is_some_and(|given| self.0.ct_eq(&*given.0).into())
    }
}
