//! Writes the OpenAPI document of the control API and its reference into a directory.

use std::{env, fs, io, path::PathBuf};

use sealock_api::{openapi, reference::reference};

fn main() -> io::Result<()> {
    let directory = PathBuf::from(env::args().nth(1).unwrap_or_else(|| "docs".to_owned()));
    fs::write(directory.join("openapi.json"), openapi::json())?;
    fs::write(directory.join("control-api-reference.md"), reference())
}
