use std::{
    env, io,
    path::{Path, PathBuf},
};

use sealock_emulator::CONTROL_TOKEN_FILE;
use ureq::http::HeaderValue;
use zeroize::Zeroizing;

use crate::{error::Error, tls::Ca};

/// The token file of an emulator that was started in this directory with default settings.
const DEFAULT_TOKEN_FILE: &str = ".sealock/control.token";

/// The CA's path from the directory of the token. Both are in the emulator's data directory.
const CA_FILE: &str = "tls/ca.pem";

/// The token that an emulator with `auth = "enforced"` demands.
pub(crate) struct Token {
    secret: Zeroizing<String>,
    path: PathBuf,
    /// True if the user named the file.
    pub(crate) is_named: bool,
}

impl Token {
    /// Reads the token from its file, which may be missing: most emulators demand none.
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
            // An emulator that demands the token will report that it is missing.
            Err(_) if !is_named => Ok(None),
            Err(error) => Err(Error::system(&error)),
        }
    }

    /// Reads the CA beside the token, whose key the server must prove to hold. `None` if there is no CA.
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

    /// Returns the error for a server at `emulator` that demands the token but was not sent it.
    pub(crate) fn withheld(&self, emulator: &str) -> Error {
        Error::Failed {
            message: format!(
                "the server at {emulator} demands the control API's token, which was not sent: there is no {} to verify the \
                 server with",
                self.ca_file().display()
            ),
            hint: Some(format!(
                "copy tls/ca.pem from the emulator's data directory to that path; or, if you are sure that the emulator \
                 listens there, set {CONTROL_TOKEN_FILE} to its token file and add --emulator {emulator}"
            )),
        }
    }

    /// Returns the value of the header `Authorization`, marked as sensitive so that it is not logged.
    pub(crate) fn bearer(&self) -> Result<HeaderValue, Error> {
        let value = Zeroizing::new(format!("Bearer {}", *self.secret));
        let mut value = HeaderValue::from_str(&value).map_err(|_| Error::Failed {
            message: "the control API's token is damaged".to_owned(),
            hint: Some(format!("check that {CONTROL_TOKEN_FILE} is the right file")),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}
