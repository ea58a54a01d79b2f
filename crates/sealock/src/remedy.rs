//! Remedies for an emulator that fails to start.

use sealock_emulator::{NamedDataDir, Remedy};

use crate::{error::Error, output::quoted};

/// The default port, which other programs often use.
const DEFAULT_PORT: u16 = 5000;

/// Converts an error of the emulator, with its remedy as the hint.
pub(crate) fn failed(error: &sealock_emulator::Error) -> Error {
    Error::Failed {
        hint: error.remedy().as_ref().map(sentence),
        message: error.to_string(),
    }
}

fn sentence(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Advice(text) => text.clone(),
        Remedy::ConvertDataDir { engine, data_dir } => format!(
            "set store.engine = \"{engine}\", or convert the directory with: {}",
            repair(data_dir)
        ),
        Remedy::FinishRepair(data_dir) => format!("resume it with: {}", repair(data_dir)),
        Remedy::ListenElsewhere(address) if address.port() == DEFAULT_PORT => {
            "another Sealock or registry may be using port 5000, or on macOS the AirPlay receiver (System Settings, \
             General, AirDrop & Handoff); choose another port with: sealock serve --listen 127.0.0.1:5001"
                .to_owned()
        }
        Remedy::ListenElsewhere(_) => {
            "choose another port, or 0 for a free one: sealock serve --listen 127.0.0.1:0".to_owned()
        }
        Remedy::NameDataDir => "pass it with --data-dir".to_owned(),
        Remedy::NameDirectory => {
            "choose another directory with --data-dir or server.data_dir, or move the file away".to_owned()
        }
        Remedy::RepairKeyCheck(data_dir) => format!(
            "set SEALOCK_SERVICE_KEY_FILE to the file that was used before; or, if this is the right key, rewrite the \
             other file with: {}",
            repair(data_dir)
        ),
        Remedy::RestoreDataDir(data_dir) => format!(
            "see what is damaged with: sealock verify --offline {}; restore what can be restored with: {}",
            options(data_dir),
            repair(data_dir)
        ),
        Remedy::UseWritableDataDir => {
            "mount the disk of the data directory for writing, or choose another directory with --data-dir"
                .to_owned()
        }
    }
}

/// Returns the command that repairs a data directory.
pub(crate) fn repair(data_dir: &NamedDataDir) -> String {
    format!("sealock repair {}", options(data_dir))
}

fn options(data_dir: &NamedDataDir) -> String {
    let dir = quoted(&data_dir.dir);
    match &data_dir.config_file {
        Some(file) => format!("--data-dir {dir} --config {}", quoted(file)),
        None => format!("--data-dir {dir}"),
    }
}
