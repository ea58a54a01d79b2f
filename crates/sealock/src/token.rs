use std::{env, path::PathBuf};

use sealock_emulator::CONTROL_TOKEN_FILE;
use ureq::http::HeaderValue;
use zeroize::Zeroizing;

use crate::error::Error;

/// Where an emulator keeps it that was started in this directory without being told where.
const DEFAULT_TOKEN_FILE: &str = ".sealock/control.token";

/// What an emulator with `auth = "enforced"` asks the command line for.
pub(crate) struct Token(Zeroizing<String>);

impl Token {
    /// Reads it from its file. Most emulators ask for none, so there need not be any.
    pub(crate) fn find() -> Result<Option<Self>, Error> {
        let named = env::var_os(CONTROL_TOKEN_FILE).map(PathBuf::from);
        let is_named = named.is_some();
        let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT_TOKEN_FILE));
        match fs_err::read_to_string(path) {
            Ok(text) => Ok(Some(Self(Zeroizing::new(text.trim().to_owned())))),
            // Whatever the reason: an emulator that wants it says so.
            Err(_) if !is_named => Ok(None),
            Err(error) => Err(Error::system(&error)),
        }
    }

    /// As a header carries it, marked so that nothing logs it.
    pub(crate) fn bearer(&self) -> Result<HeaderValue, Error> {
        let value = Zeroizing::new(format!("Bearer {}", *self.0));
        let mut value = HeaderValue::from_str(&value).map_err(|_| Error::Failed {
            message: "the control API's token is damaged".to_owned(),
            hint: Some(format!("is {CONTROL_TOKEN_FILE} the right file?")),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}
