use std::path::PathBuf;

use clap::Args;
use sealock_api::{
    Cause, Finding, Verification, VerificationState, VerifiedRegistry, Verify as VerifyEverything,
};
use sealock_emulator::OfflineFlags;

use crate::{
    client::Client,
    commands::Commands,
    error::Error,
    offline,
    output::{BAD, Column, Output, Screen},
    progress, quarantine,
};

/// Check everything that is stored, and report missing or damaged parts
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock verify && echo whole
  sealock verify --offline --data-dir .sealock")]
pub(crate) struct Verify {
    /// Check a data directory that no emulator is using, without changing it: metadata, journal, private keys, and the
    /// presence of objects
    #[arg(long)]
    offline: bool,
    /// Data directory
    #[arg(long, value_name = "DIR", requires = "offline")]
    data_dir: Option<PathBuf>,
    /// Configuration file
    #[arg(long, value_name = "FILE", requires = "offline")]
    config: Option<PathBuf>,
}

impl Verify {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        if !self.offline {
            return run(client, output);
        }
        let flags = OfflineFlags {
            config: self.config,
            data_dir: self.data_dir,
        };
        offline::verify(flags, output)
    }
}

fn run(client: &Client, output: &mut Output) -> Result<(), Error> {
    let answer = progress::during("verifying", || client.ask(&VerifyEverything {}))?;
    let verification = answer.parse()?;
    let screen = output.screen();
    output.show(&answer, |verification| {
        render(verification, screen, client.commands())
    })?;
    conclude(&verification, client.commands())
}

fn render(verification: &Verification, screen: Screen, commands: &Commands) -> String {
    let rows = verification.registries.iter().map(|registry| {
        [
            registry.name.to_string(),
            state(registry),
            registry.objects.to_string(),
            registry.bytes.to_string(),
            registry.references.to_string(),
            registry.problems.len().to_string(),
        ]
    });
    let heading = [
        "REGISTRY",
        "STATE",
        "OBJECTS",
        "BYTES",
        "REFERENCES",
        "PROBLEMS",
    ];
    let mut lines = vec![screen.table(heading.map(Column::Always), rows)];
    for registry in &verification.registries {
        lines.extend(
            registry
                .problems
                .iter()
                .map(|Finding { kind, description }| {
                    format!("{}: {BAD}{kind}{BAD:#}: {description}", registry.name)
                }),
        );
        let lost = registry.lost_uploads.iter();
        let notes = lost.chain(&registry.deleted_references);
        lines.extend(notes.map(|what| format!("{}: {what}", registry.name)));
    }
    let problems = verification.problems.iter();
    lines.extend(
        problems.map(|Finding { kind, description }| format!("{BAD}{kind}{BAD:#}: {description}")),
    );
    lines.extend(quarantine::summary(&verification.quarantine, commands));
    lines.join("\n")
}

/// Succeeds only if everything could be read and is intact.
fn conclude(verification: &Verification, commands: &Commands) -> Result<(), Error> {
    let registries = verification.registries.iter();
    let revoked = registries
        .clone()
        .find(|registry| registry.state == VerificationState::Revoked);
    let problems = registries
        .map(|registry| registry.problems.len())
        .sum::<usize>()
        + verification.problems.len();
    let message = match (problems, revoked) {
        (0, None) if verification.whole => return Ok(()),
        (0, Some(registry)) => format!(
            "registry {} is {}, so its content could not be read",
            registry.name,
            state(registry)
        ),
        (0, None) => "the stored content is incomplete".to_owned(),
        (1, _) => "1 problem in the stored content".to_owned(),
        (problems, _) => format!("{problems} problems in the stored content"),
    };
    Err(Error::Failed {
        message,
        hint: revoked.map(|registry| remedy(registry, commands)),
    })
}

fn state(registry: &VerifiedRegistry) -> String {
    match &registry.cause {
        Some(cause) => format!("{} ({cause})", registry.state),
        None => registry.state.to_string(),
    }
}

fn remedy(registry: &VerifiedRegistry, commands: &Commands) -> String {
    let (remedy, then) = match registry.cause {
        Some(Cause::KeyDisabled) => ("enable the key", "then verify again"),
        Some(Cause::KeyDeleted) => ("recover the key", "then verify again"),
        Some(Cause::KeyNotFound | Cause::VaultNotFound) => {
            ("restore the key", "without a backup, the content is lost")
        }
        Some(Cause::ForbiddenByPolicy | Cause::ForbiddenByRbac) => {
            ("give the identity access to the key", "then verify again")
        }
        _ => ("restore access to the key", "then verify again"),
    };
    match registry
        .restore
        .as_ref()
        .and_then(|hint| commands.for_hint(hint))
    {
        Some(restore) => format!("{remedy} with: {restore}; {then}"),
        None => format!("{remedy}; {then}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn concluded(registry: &Value, whole: bool) -> Result<(), (String, Option<String>)> {
        let verification = json!({ "registries": [registry], "problems": [], "whole": whole,
            "quarantine": {"files": 0, "bytes": 0, "since": null} });
        let verification: Verification = serde_json::from_value(verification).unwrap();
        let failure = |error: Error| (error.to_string(), error.hint());
        conclude(&verification, &Commands::default()).map_err(failure)
    }

    #[test]
    fn verification_succeeds_only_for_intact_and_available_registries() {
        let mut registry = json!({
            "name": "sealock", "state": "verified", "objects": 1, "bytes": 1, "references": 1, "uploads": 0,
            "lost_uploads": [], "deleted_references": [], "problems": []
        });
        assert_eq!(concluded(&registry, true), Ok(()));
        registry["deleted_references"] = json!(["a manifest refers to another, which was deleted"]);
        assert_eq!(concluded(&registry, true), Ok(()));
        assert!(concluded(&registry, false).is_err());

        registry["state"] = "revoked".into();
        registry["cause"] = "KeyDisabled".into();
        let (message, hint) = concluded(&registry, true).unwrap_err();
        assert!(
            message.starts_with("registry sealock is revoked (KeyDisabled)"),
            "{message}"
        );
        assert_eq!(hint.as_deref(), Some("enable the key; then verify again"));

        registry["restore"] = json!({"action": "recover_key", "vault": "kv1", "key": "k1"});
        let (_, hint) = concluded(&registry, true).unwrap_err();
        let with_command =
            "enable the key with: sealock key recover k1 --vault kv1; then verify again";
        assert_eq!(hint.as_deref(), Some(with_command));

        registry["problems"] = json!([{ "kind": "ObjectMissing", "description": "object 00" }]);
        let (message, hint) = concluded(&registry, false).unwrap_err();
        assert_eq!(message, "1 problem in the stored content");
        assert!(hint.is_some());
    }
}
