use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};
use sealock_api::{BackUpKey, Key, KeyBackup, RestoreKey};
use sealock_core::VaultName;

use crate::{
    client::Client, effect::show_change, error::Error, key_reference::KeyArgs, output::Output,
    target::ParentArgs,
};

/// Back up a key with all its versions to a file that only this emulator can restore
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealock key backup --file registry-key.backup")]
pub(crate) struct Backup {
    #[command(flatten)]
    key: KeyArgs,
    /// File to write; an existing file is replaced
    #[arg(long)]
    file: PathBuf,
}

/// Restore a key with all its versions from a backup, and the registries that need it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealock key restore --file registry-key.backup")]
pub(crate) struct Restore {
    /// Backup file
    #[arg(long)]
    file: PathBuf,
    #[command(flatten)]
    vault: ParentArgs<VaultName>,
}

impl Backup {
    /// Writes the blob itself, as `az keyvault key backup` does, not the API's base64url.
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let (vault, key) = self.key.names()?;
        let back_up = BackUpKey { vault, key };
        let answer = client.ask(&back_up)?;
        let KeyBackup { value } = answer.parse()?;
        let blob = URL_SAFE_NO_PAD.decode(value);
        let blob = blob.map_err(|error| answer.unexpected(&error))?;
        write(&self.file, &blob).map_err(|error| Error::system(&error))?;
        let BackUpKey { vault, key } = back_up;
        output.done(format!(
            "backed up {key} of vault {vault} to {}",
            self.file.display()
        ))
    }
}

impl Restore {
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let blob = fs::read(&self.file).map_err(|error| Error::system(&error))?;
        let backup = KeyBackup {
            value: URL_SAFE_NO_PAD.encode(blob),
        };
        let vault = self.vault.name;
        let answer = client.ask_with_body(&RestoreKey { vault }, &backup)?;
        show_change(
            &answer,
            |key: &Key| format!("restored {}", key.kid),
            client,
            output,
        )
    }
}

/// Replaces the file atomically: on failure, an older backup stays intact.
fn write(file: &Path, blob: &[u8]) -> io::Result<()> {
    let mut staged = file.as_os_str().to_owned();
    staged.push(format!(".{}.tmp", std::process::id()));
    let staged = PathBuf::from(staged);
    let mut options = fs::OpenOptions::new();
    let written = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&staged)
        .and_then(|mut to| {
            to.write_all(blob)?;
            to.sync_all()
        })
        .and_then(|()| fs::rename(&staged, file));
    if written.is_err() {
        let _ = fs::remove_file(&staged);
    }
    // The message names the user's file, not the temporary one.
    written.map_err(|error| {
        let [staged, file] = [&*staged, file].map(Path::to_string_lossy);
        io::Error::new(error.kind(), error.to_string().replace(&*staged, &file))
    })
}
