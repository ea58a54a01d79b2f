use std::path::PathBuf;

use clap::Args;
use sealock_emulator::{OfflineFlags, Repaired};

use crate::{
    commands::Commands,
    error::Error,
    output::{BAD, GOOD, Output, TITLE, printable},
    progress, remedy,
};

/// Repair a damaged data directory that no emulator is using
///
/// Replaced files are moved to quarantine; nothing is deleted. If changes to vaults, keys or access may have been lost,
/// every key is disabled, so that nothing can be decrypted that was revoked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock verify --offline
  sealock repair
  sealock repair --data-dir .sealock --config sealock.toml")]
pub(crate) struct Repair {
    /// Data directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file; if it names another engine, the state is converted
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Repair {
    pub(crate) fn run(self, output: &mut Output) -> Result<(), Error> {
        let flags = OfflineFlags {
            config: self.config,
            data_dir: self.data_dir,
        };
        let repaired = progress::during("repairing", || sealock_emulator::repair(flags));
        let repaired = repaired.map_err(|error| remedy::failed(&error))?;
        output.report(&repaired, lines)
    }
}

fn lines(repaired: &Repaired) -> Vec<String> {
    let metadata = &repaired.metadata;
    let dir = repaired.data_dir.display();
    let Some(source) = &metadata.source else {
        return vec![format!("{GOOD}intact{GOOD:#}: {dir}; nothing was changed")];
    };
    let mut lines = vec![format!("{TITLE}problems{TITLE:#}")];
    lines.extend(listed(&metadata.findings));
    lines.push(format!("{TITLE}repairs{TITLE:#}"));
    lines.push(format!(
        "  {dir} was restored from {source}, up to commit {}",
        metadata.reached
    ));
    lines.extend(
        metadata
            .quarantined
            .iter()
            .map(|name| format!("  {} was moved to quarantine", printable(name))),
    );
    let registries = &repaired.restored_custodies;
    lines.extend(registries.iter().map(|registry| {
        format!("  the custody record of registry {registry} was restored from its copy")
    }));
    let missing = missing(repaired);
    if !missing.is_empty() {
        lines.push(format!("{BAD}missing{BAD:#}"));
        lines.extend(listed(&missing));
    }
    if !repaired.unmentioned_objects.is_empty() {
        lines.push(format!(
            "{TITLE}files that no record mentions{TITLE:#}: the next start moves them to quarantine"
        ));
        lines.extend(listed(&repaired.unmentioned_objects));
    }
    if metadata.control_state_is_older {
        lines.push(format!(
            "{BAD}vaults, keys or access may be out of date{BAD:#} and permit what was revoked since, so every key was \
             disabled; start the emulator, review who has access, then enable the keys with:"
        ));
        let commands = Commands::default();
        let disabled = repaired.disabled_keys.iter();
        let enabling = disabled.filter_map(|key| commands.for_hint(&key.enable));
        lines.extend(enabling.map(|command| format!("  {}", printable(&command))));
    }
    lines
}

fn missing(repaired: &Repaired) -> Vec<String> {
    let metadata = &repaired.metadata;
    let mut missing = Vec::new();
    if metadata.missing_commits > 0 {
        missing.push(format!(
            "the last {} of {} commits",
            metadata.missing_commits, metadata.newest
        ));
    }
    if !metadata.is_newest_known {
        missing.push("possibly the last commits: their number is unknown".to_owned());
    }
    missing.extend(metadata.tables.iter().map(ToString::to_string));
    if metadata.missing_journal_bytes > 0 {
        missing.push(format!(
            "{} bytes of the audit log; the remains are in quarantine",
            metadata.missing_journal_bytes
        ));
    }
    missing.extend(repaired.damaged_contents.iter().map(ToString::to_string));
    missing.extend(repaired.damaged_private_keys.iter().cloned());
    missing
}

fn listed(items: &[String]) -> impl Iterator<Item = String> {
    items.iter().map(|item| format!("  {}", printable(item)))
}
