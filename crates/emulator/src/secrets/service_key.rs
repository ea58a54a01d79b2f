use std::{
    io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_envelope::ServiceKey;
use sealock_store::{DataDir, ownership};
use zeroize::Zeroizing;

use crate::Error;

/// The environment variable that names a file for the service key outside the data directory.
const SERVICE_KEY_FILE: &str = "SEALOCK_SERVICE_KEY_FILE";

/// Returns the path in the environment variable.
fn path_in_environment() -> Option<PathBuf> {
    std::env::var_os(SERVICE_KEY_FILE).map(PathBuf::from)
}

/// Returns the path of the service key.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    path_in_environment().unwrap_or_else(|| data_dir.join("service.key"))
}

/// Loads the service key. Creates it for an empty data directory.
pub(crate) fn load_or_create(data_dir: &DataDir) -> Result<ServiceKey, Error> {
    let path = path(data_dir.path());
    if path.exists() {
        return read(&path);
    }
    if data_dir.is_used() {
        return Err(Error::ServiceKeyMissing { path });
    }
    let key = ServiceKey::random();
    // Allocates all of it at once, since growing would leave copies in memory.
    let mut text = Zeroizing::new(String::with_capacity(64));
    STANDARD.encode_string(key.expose(), &mut text);
    text.push('\n');
    sealock_store::create_secret(&path, text.as_bytes())?;
    Ok(key)
}

/// Loads the service key, which must exist.
pub(crate) fn load(data_dir: &Path) -> Result<ServiceKey, Error> {
    let path = path(data_dir);
    if path.exists() {
        read(&path)
    } else {
        Err(Error::ServiceKeyMissing { path })
    }
}

fn read(path: &Path) -> Result<ServiceKey, Error> {
    let damaged = |why| Error::ServiceKeyDamaged {
        path: path.to_owned(),
        why,
    };
    let file = match path_in_environment() {
        Some(_) => ownership::open_named(path)?,
        None => ownership::open_inside(path)?,
    };
    let text = Zeroizing::new(match ownership::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(damaged("it is not text"));
        }
        text => text?,
    });
    let bytes = STANDARD
        .decode(text.trim())
        .map_err(|_| damaged("it is not base64"))?;
    let bytes = Zeroizing::new(bytes);
    ServiceKey::from_slice(&bytes).ok_or_else(|| damaged("it is not 32 bytes"))
}
