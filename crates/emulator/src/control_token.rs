use std::path::{Path, PathBuf};

use sealock_store::ownership;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::Error;

/// Names the token's file, for the emulator and for the command line, elsewhere than in the data
/// directory.
pub const CONTROL_TOKEN_FILE: &str = "SEALOCK_CONTROL_TOKEN_FILE";

/// What the command line shows to the control API where that asks for it.
#[derive(Clone)]
pub(crate) struct ControlToken(Zeroizing<[u8; 32]>);

impl ControlToken {
    /// Reads the token from its file, or makes one.
    pub(crate) fn load_or_create(data_dir: Option<&Path>) -> Result<Self, Error> {
        let named = std::env::var_os(CONTROL_TOKEN_FILE).map(PathBuf::from);
        let is_named = named.is_some();
        let path = named
            .or_else(|| data_dir.map(|dir| dir.join("control.token")))
            .ok_or(Error::ControlTokenHomeless)?;
        if !path.exists() {
            let token = Zeroizing::new(hex::encode(Zeroizing::new(rand::random::<[u8; 32]>())));
            sealock_store::create_secret(&path, token.as_bytes())?;
        }
        let file = if is_named {
            ownership::open_named(&path)?
        } else {
            ownership::open_inside(&path)?
        };
        let text = Zeroizing::new(ownership::read_to_string(file)?);
        Self::parse(text.trim()).ok_or(Error::ControlTokenDamaged { path })
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
