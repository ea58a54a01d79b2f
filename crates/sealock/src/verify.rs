use std::path::PathBuf;

use clap::Args;
use sealock_emulator::OfflineFlags;
use serde::Deserialize;

use crate::{
    client::Client,
    error::Error,
    offline,
    output::{BAD, Output, table},
    quarantine::Quarantine,
};

#[derive(Debug, Deserialize)]
struct Verification {
    registries: Vec<Registry>,
    /// What belongs to no registry.
    problems: Vec<Problem>,
    quarantine: Quarantine,
    whole: bool,
}

#[derive(Debug, Deserialize)]
struct Registry {
    name: String,
    state: String,
    cause: Option<String>,
    restore: Option<String>,
    objects: u64,
    bytes: u64,
    references: u64,
    lost_uploads: Vec<String>,
    deleted_references: Vec<String>,
    problems: Vec<Problem>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    kind: String,
    what: String,
}

/// Read everything that is stored, and report what is missing or damaged
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock verify && echo whole
  sealock verify --offline --data-dir .sealock")]
pub(crate) struct Verify {
    /// Look at a data directory that no emulator has open, and change nothing: metadata, journal, private keys, and
    /// whether the objects are there
    #[arg(long)]
    offline: bool,
    /// Where the state is kept
    #[arg(long, value_name = "DIR", requires = "offline")]
    data_dir: Option<PathBuf>,
    /// The configuration file
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
    let answer = client.post("verify", None)?;
    let verification: Verification = answer.parse()?;
    output.show(&answer, Verification::render)?;
    verification.conclude()
}

impl Verification {
    fn render(&self) -> String {
        let rows = self.registries.iter().map(|registry| {
            [
                registry.name.clone(),
                registry.state(),
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
        let mut lines = vec![table(heading, rows)];
        for registry in &self.registries {
            lines.extend(registry.problems.iter().map(|problem| {
                let Problem { kind, what } = problem;
                format!("{}: {BAD}{kind}{BAD:#}: {what}", registry.name)
            }));
            let lost = registry.lost_uploads.iter();
            let notes = lost.chain(&registry.deleted_references);
            lines.extend(notes.map(|what| format!("{}: {what}", registry.name)));
        }
        lines.extend(self.problems.iter().map(|problem| {
            let Problem { kind, what } = problem;
            format!("{BAD}{kind}{BAD:#}: {what}")
        }));
        lines.extend(self.quarantine.note());
        lines.join("\n")
    }

    /// Success only if everything could be read and was whole.
    fn conclude(&self) -> Result<(), Error> {
        let revoked = self
            .registries
            .iter()
            .find(|registry| registry.state == "revoked");
        let problems = self
            .registries
            .iter()
            .map(|registry| registry.problems.len())
            .sum::<usize>()
            + self.problems.len();
        let message = match (problems, revoked) {
            (0, None) if self.whole => return Ok(()),
            (0, Some(registry)) => format!(
                "registry {} is {}, so its content could not be read",
                registry.name,
                registry.state()
            ),
            (0, None) => "the stored content is not whole".to_owned(),
            (1, _) => "1 problem in the stored content".to_owned(),
            (problems, _) => format!("{problems} problems in the stored content"),
        };
        Err(Error::Failed {
            message,
            hint: revoked.map(Registry::remedy),
        })
    }
}

impl Registry {
    fn state(&self) -> String {
        match &self.cause {
            Some(cause) => format!("{} ({cause})", self.state),
            None => self.state.clone(),
        }
    }

    fn remedy(&self) -> String {
        let (remedy, then) = match self.cause.as_deref() {
            Some("KeyDisabled") => ("enable the key", "then verify again"),
            Some("KeyDeleted") => ("recover the key", "then verify again"),
            Some("KeyNotFound" | "VaultNotFound") => (
                "bring the key back",
                "without a backup, the content is gone",
            ),
            Some("ForbiddenByPolicy" | "ForbiddenByRbac") => {
                ("give the identity access to the key", "then verify again")
            }
            _ => ("restore the way to the key", "then verify again"),
        };
        match &self.restore {
            Some(restore) => format!("{remedy} with: {restore}; {then}"),
            None => format!("{remedy}; {then}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn conclude(registry: &Value, whole: bool) -> Result<(), (String, Option<String>)> {
        let verification = json!({ "registries": [registry], "problems": [], "whole": whole,
            "quarantine": {"files": 0, "bytes": 0, "since": null} });
        let verification: Verification = serde_json::from_value(verification).unwrap();
        let failure = |error: Error| (error.to_string(), error.hint().map(str::to_owned));
        verification.conclude().map_err(failure)
    }

    #[test]
    fn only_a_whole_and_available_registry_is_success() {
        let mut registry = json!({
            "name": "sealock", "state": "verified", "objects": 1, "bytes": 1, "references": 1,
            "lost_uploads": [], "deleted_references": [], "problems": []
        });
        assert_eq!(conclude(&registry, true), Ok(()));
        registry["deleted_references"] = json!(["a manifest refers to another, which was deleted"]);
        assert_eq!(conclude(&registry, true), Ok(()));
        assert!(conclude(&registry, false).is_err());

        registry["state"] = "revoked".into();
        registry["cause"] = "KeyDisabled".into();
        let (message, hint) = conclude(&registry, true).unwrap_err();
        assert!(
            message.starts_with("registry sealock is revoked (KeyDisabled)"),
            "{message}"
        );
        assert_eq!(hint.as_deref(), Some("enable the key; then verify again"));

        registry["restore"] = "sealock key enable".into();
        let (_, hint) = conclude(&registry, true).unwrap_err();
        let with_command = "enable the key with: sealock key enable; then verify again";
        assert_eq!(hint.as_deref(), Some(with_command));

        registry["problems"] = json!([{ "kind": "ObjectMissing", "what": "object 00" }]);
        let (message, hint) = conclude(&registry, false).unwrap_err();
        assert_eq!(message, "1 problem in the stored content");
        assert!(hint.is_some());
    }
}
