use std::{net::SocketAddr, path::Path};

use fs_err as fs;
use sealock_store::disk;
use serde_json::json;

use crate::{Error, tls::Trust};

/// Writes the ready file, with the address at which requests are served. Renames it into place, so that no reader sees a
/// part of it.
pub(crate) fn write(path: &Path, address: SocketAddr, trust: &Trust) -> Result<(), Error> {
    let port = address.port();
    let ready = json!({
        "pid": std::process::id(),
        "address": address.to_string(),
        "ca": trust.files.as_ref().map(|files| &files.ca),
        "ca_sha256": trust.ca_fingerprint,
        "endpoints": {
            "registry": format!("http://localhost:{port}"),
            "control": format!("http://localhost:{port}/_sealock/v1"),
        },
    });
    let staged = disk::unfinished(path);
    let written = fs::write(&staged, format!("{ready:#}\n"));
    let written = written.and_then(|()| fs::rename(&staged, path));
    Ok(written.inspect_err(|_| drop(fs::remove_file(&staged)))?)
}

/// Removes the ready file, and an unfinished one that a killed process left.
pub(crate) fn remove(path: &Path) {
    for path in [path, &disk::unfinished(path)] {
        let _ = std::fs::remove_file(path);
    }
}
