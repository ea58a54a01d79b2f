use std::{
    io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_envelope::ServiceKey;
use sealock_store::{DataDir, ownership};
use zeroize::Zeroizing;

use crate::Error;

/// Names a file to keep the service key in, elsewhere than in the data directory.
const SERVICE_KEY_FILE: &str = "SEALOCK_SERVICE_KEY_FILE";

/// The path of the service key, if the user names one.
fn named() -> Option<PathBuf> {
    std::env::var_os(SERVICE_KEY_FILE).map(PathBuf::from)
}

/// Where the service key lies.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    named().unwrap_or_else(|| data_dir.join("service.key"))
}

/// Reads the platform's own key, or makes one for an empty data directory.
pub(crate) fn load_or_create(data_dir: &DataDir) -> Result<ServiceKey, Error> {
    let path = path(data_dir.path());
    if path.exists() {
        return read(&path);
    }
    if data_dir.is_used() {
        return Err(Error::ServiceKeyMissing { path });
    }
    let key = ServiceKey::random();
    // With room for all of it, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(64));
    STANDARD.encode_string(key.expose(), &mut text);
    text.push('\n');
    sealock_store::create_secret(&path, text.as_bytes())?;
    Ok(key)
}

/// Reads the platform's own key, which must exist.
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
    let file = match named() {
        Some(_) => ownership::open_named(path)?,
        None => ownership::open_inside(path)?,
    };
    let text = Zeroizing::new(match ownership::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(damaged("it is no text"));
        }
        text => text?,
    });
    let bytes = STANDARD
        .decode(text.trim())
        .map_err(|_| damaged("it is not base64"))?;
    let bytes = Zeroizing::new(bytes);
    ServiceKey::from_slice(&bytes).ok_or_else(|| damaged("it is not 32 bytes"))
}
