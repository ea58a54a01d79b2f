use std::{
    io,
    path::{Path, PathBuf},
};

use sealock_store::{Batch, Store, Table, ownership};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::Error;

/// Names the token's file, for the emulator and for the command line, elsewhere than in the data
/// directory.
pub const CONTROL_TOKEN_FILE: &str = "SEALOCK_CONTROL_TOKEN_FILE";

/// The fingerprint of the token in the data directory.
const MADE: Table<String> = Table::content("control-token");
const KEY: [&str; 1] = ["made"];

/// What the command line shows to the control API where that asks for it.
#[derive(Clone)]
pub(crate) struct ControlToken(Zeroizing<[u8; 32]>);

impl ControlToken {
    /// Reads the token from its file, or makes one. The store keeps the fingerprint of a token in the data directory.
    pub(crate) async fn load_or_create(
        data_dir: Option<&Path>,
        store: &Store,
    ) -> Result<Self, Error> {
        if let Some(path) = std::env::var_os(CONTROL_TOKEN_FILE).map(PathBuf::from) {
            if !path.exists() {
                Self::random().write(&path)?;
            }
            return Self::read(ownership::open_named(&path)?, &path);
        }
        let dir = data_dir.ok_or(Error::ControlTokenHomeless)?;
        let path = dir.join("control.token");
        if !path.exists() {
            let token = Self::random();
            // Before the file exists, so that an existing file always matches the store.
            token.remember(store).await?;
            token.write(&path)?;
        }
        let token = Self::read(ownership::open_inside(&path)?, &path)?;
        match store.get(&MADE, &KEY).await? {
            Some(made) if made.value == token.fingerprint() => {}
            Some(_) => {
                let why = "it is not the one that was made";
                return Err(Error::ControlTokenDamaged { path, why });
            }
            None => token.remember(store).await?,
        }
        Ok(token)
    }

    fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    fn read(file: fs_err::File, path: &Path) -> Result<Self, Error> {
        let damaged = |why| Error::ControlTokenDamaged {
            path: path.to_owned(),
            why,
        };
        let text = Zeroizing::new(match ownership::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(damaged("it is no text"));
            }
            text => text?,
        });
        Self::parse(text.trim()).ok_or_else(|| damaged("it is not 64 hexadecimal digits"))
    }

    fn write(&self, path: &Path) -> Result<(), Error> {
        let text = Zeroizing::new(hex::encode(self.0.as_slice()));
        Ok(sealock_store::create_secret(path, text.as_bytes())?)
    }

    async fn remember(&self, store: &Store) -> Result<(), Error> {
        let batch = Batch::new().put(&MADE, &KEY, &self.fingerprint());
        let _unconditional = store.commit(batch).await?;
        Ok(())
    }

    /// A hash that identifies the token and does not reveal it.
    fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_slice()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut token = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, &mut *token).ok()?;
        Some(Self(token))
    }

    /// Whether this is what somebody shows, in hexadecimal.
    pub(crate) fn is(&self, shown: &str) -> bool {
        Self::parse(shown).is_some_and(|shown| self.0.ct_eq(&*shown.0).into())
    }
}
