use std::path::PathBuf;

use clap::Args;
use sealock_emulator::{OfflineFlags, Repaired};

use crate::{
    commands::Commands,
    error::Error,
    output::{BAD, GOOD, Output, TITLE, printable},
    progress, remedy,
};

/// Restore a damaged data directory, while no emulator has it open
///
/// Replaced files go into the quarantine; nothing is removed. If changes to vaults, keys or access may be
/// missing afterwards, every key is disabled, so that nothing is decrypted that was revoked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock verify --offline
  sealock repair
  sealock repair --data-dir .sealock --config sealock.toml")]
pub(crate) struct Repair {
    /// Where the state is kept
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The configuration file; if it names another engine, the state is converted
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
        return vec![format!(
            "{GOOD}nothing is wrong{GOOD:#} with {dir}, and nothing was changed"
        )];
    };
    let mut lines = vec![format!("{TITLE}what was wrong{TITLE:#}")];
    lines.extend(listed(&metadata.findings));
    lines.push(format!("{TITLE}what was done{TITLE:#}"));
    lines.push(format!(
        "  {dir} was restored from {source}, up to the commit {}",
        metadata.reached
    ));
    lines.extend(
        metadata
            .quarantined
            .iter()
            .map(|name| format!("  {} is in quarantine now", printable(name))),
    );
    let registries = &repaired.restored_custodies;
    lines.extend(registries.iter().map(|registry| {
        format!(
            "  the custody record of the registry {registry} was restored from its second place"
        )
    }));
    let missing = missing(repaired);
    if !missing.is_empty() {
        lines.push(format!("{BAD}what is missing{BAD:#}"));
        lines.extend(listed(&missing));
    }
    if !repaired.unmentioned_objects.is_empty() {
        lines.push(format!(
            "{TITLE}what no record mentions{TITLE:#}: the next start moves it into quarantine"
        ));
        lines.extend(listed(&repaired.unmentioned_objects));
    }
    if metadata.control_state_is_older {
        lines.push(format!(
            "{BAD}vaults, keys or access may be as they were earlier{BAD:#}, and permit what was revoked since, so every \
             key was disabled; start the emulator, look at what is permitted, and then enable them with:"
        ));
        let commands = Commands::default();
        let disabled = repaired.disabled_keys.iter();
        let enabling = disabled.filter_map(|key| commands.of(&key.enable));
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
        missing
            .push("perhaps the last commits: nothing says any more how many there were".to_owned());
    }
    missing.extend(metadata.tables.iter().map(ToString::to_string));
    if metadata.missing_journal_bytes > 0 {
        missing.push(format!(
            "{} bytes of audit.jsonl; what there is of them lies in quarantine",
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
