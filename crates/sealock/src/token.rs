use std::{
    env, io,
    path::{Path, PathBuf},
};

use sealock_emulator::CONTROL_TOKEN_FILE;
use ureq::http::HeaderValue;
use zeroize::Zeroizing;

use crate::{error::Error, tls::Ca};

/// Where an emulator keeps it that was started in this directory without being told where.
const DEFAULT_TOKEN_FILE: &str = ".sealock/control.token";

/// The CA's path from the directory of the token: both are in an emulator's data directory.
const CA_FILE: &str = "tls/ca.pem";

/// What an emulator with `auth = "enforced"` asks the command line for.
pub(crate) struct Token {
    secret: Zeroizing<String>,
    path: PathBuf,
    /// True if the user named its file.
    pub(crate) is_named: bool,
}

impl Token {
    /// Reads it from its file. Most emulators ask for none, so there need not be any.
    pub(crate) fn find() -> Result<Option<Self>, Error> {
        let named = env::var_os(CONTROL_TOKEN_FILE).map(PathBuf::from);
        let is_named = named.is_some();
        let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT_TOKEN_FILE));
        match fs_err::read_to_string(&path) {
            Ok(text) => Ok(Some(Self {
                secret: Zeroizing::new(text.trim().to_owned()),
                path,
                is_named,
            })),
            // Whatever the reason: an emulator that wants it says so.
            Err(_) if !is_named => Ok(None),
            Err(error) => Err(Error::system(&error)),
        }
    }

    /// Reads the CA beside it, which whoever is shown the token has to have the key of. `None` if the token is alone.
    pub(crate) fn ca(&self) -> Result<Option<Ca>, Error> {
        let path = self.ca_file();
        match fs_err::read_to_string(&path) {
            Ok(text) => Ca::parse(path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::system(&error)),
        }
    }

    fn ca_file(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(CA_FILE)
    }

    /// Returns the error for an emulator at `emulator` that asks for the token, which it was not shown.
    pub(crate) fn withheld(&self, emulator: &str) -> Error {
        Error::Failed {
            message: format!(
                "whoever has the port of {emulator} wants the control API's token, and was not shown it: there is no {} to \
                 know the emulator by",
                self.ca_file().display()
            ),
            hint: Some(format!(
                "put ca.pem of the emulator's data directory there; or, if you know that the emulator has that port, name it \
                 and the token: {CONTROL_TOKEN_FILE}=PATH and --emulator {emulator}"
            )),
        }
    }

    /// As a header carries it, marked so that nothing logs it.
    pub(crate) fn bearer(&self) -> Result<HeaderValue, Error> {
        let value = Zeroizing::new(format!("Bearer {}", *self.secret));
        let mut value = HeaderValue::from_str(&value).map_err(|_| Error::Failed {
            message: "the control API's token is damaged".to_owned(),
            hint: Some(format!("is {CONTROL_TOKEN_FILE} the right file?")),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}
