use std::{
    io,
    path::{Path, PathBuf},
};

use sealock_store::{Batch, Store, Table, ownership};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::Error;

/// Names the file of the control API's token, for the emulator and for the command line, elsewhere than in
/// the data directory.
pub const CONTROL_TOKEN_FILE: &str = "SEALOCK_CONTROL_TOKEN_FILE";

/// Names the file of App Service's identity header elsewhere than in the data directory.
const IDENTITY_HEADER_FILE: &str = "SEALOCK_IDENTITY_HEADER_FILE";

/// The secret that the command line shows to the control API where that asks for it.
pub(crate) const CONTROL_TOKEN: Kind = Kind {
    what: "the control API's token",
    name: "control.token",
    variable: CONTROL_TOKEN_FILE,
    made: Table::content("control-token"),
};

/// The secret that a workload shows to App Service's form of the managed identity endpoint where that asks for it.
pub(crate) const IDENTITY_HEADER: Kind = Kind {
    what: "the identity header",
    name: "identity.header",
    variable: IDENTITY_HEADER_FILE,
    made: Table::content("identity-header"),
};

const KEY: [&str; 1] = ["made"];

/// 32 random bytes in a file of their own, from which those who may know them read them.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<[u8; 32]>);

/// A kind of secret.
pub(crate) struct Kind {
    /// Its name in errors.
    pub(crate) what: &'static str,
    /// Its file in the data directory.
    name: &'static str,
    /// The variable that names another file.
    pub(crate) variable: &'static str,
    /// The fingerprint of the secret in the data directory.
    made: Table<String>,
}

impl Kind {
    /// Reads the secret from its file, or makes one. The store keeps the fingerprint of a secret in the data directory.
    /// `None` if there is no place for the file.
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
        let path = dir.join(self.name);
        if !path.exists() {
            let secret = Secret::random();
            // Before the file exists, so that an existing file always matches the store.
            self.remember(&secret, store).await?;
            secret.write(&path)?;
        }
        let secret = self.read(ownership::open_inside(&path)?, &path)?;
        match store.get(&self.made, &KEY).await? {
            Some(made) if made.value == secret.fingerprint() => {}
            Some(_) => return Err(self.damaged(&path, "it is not the one that was made")),
            None => self.remember(&secret, store).await?,
        }
        Ok(Some(secret))
    }

    fn read(&self, file: fs_err::File, path: &Path) -> Result<Secret, Error> {
        let text = Zeroizing::new(match ownership::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(self.damaged(path, "it is no text"));
            }
            text => text?,
        });
        Secret::parse(text.trim())
            .ok_or_else(|| self.damaged(path, "it is not 64 hexadecimal digits"))
    }

    fn damaged(&self, path: &Path, why: &'static str) -> Error {
        Error::SecretDamaged {
            what: self.what,
            path: path.to_owned(),
            why,
            variable: self.variable,
        }
    }

    async fn remember(&self, secret: &Secret, store: &Store) -> Result<(), Error> {
        let batch = Batch::new().put(&self.made, &KEY, &secret.fingerprint());
        let _unconditional = store.commit(batch).await?;
        Ok(())
    }
}

impl Secret {
    pub(crate) fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// The secret in hexadecimal.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    fn write(&self, path: &Path) -> Result<(), Error> {
        Ok(sealock_store::create_secret(path, self.text().as_bytes())?)
    }

    /// A hash that identifies the secret and does not reveal it.
    fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_slice()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, &mut *secret).ok()?;
        Some(Self(secret))
    }

    /// Compares the secret, in constant time, with hexadecimal text that somebody shows.
    pub(crate) fn is(&self, shown: &str) -> bool {
        Self::parse(shown).is_some_and(|shown| self.0.ct_eq(&*shown.0).into())
    }
}
