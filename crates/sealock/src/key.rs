mod backup;
mod rotation_policy;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use sealock_core::{KeyName, KeyVersion, VaultName};
use serde::Deserialize;
use serde_json::{Value, json};

use self::{
    backup::{Backup, Restore},
    rotation_policy::RotationPolicyCommand,
};

use crate::{
    cli::{one_of_several, time},
    client::Client,
    error::Error,
    output::{BAD, Output, TITLE, record, table},
    registry::Registry,
    vault::{DEFAULT_VAULT, WhichVault, recoverable_until},
};

const DEFAULT_KEY: &str = "registry-key";

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the keys of a vault, deleted ones included
    #[command(after_help = "Example:\n  sealock key list --vault sealock")]
    List(WhichVault),
    /// Create a key, or a new version of it if it exists
    #[command(after_help = "\
Examples:
  sealock key create mykey --size 3072
  sealock key create signer --kty EC --curve P-384")]
    Create {
        #[command(flatten)]
        key: KeyArgs,
        /// The type of key: `RSA`, `RSA-HSM`, `EC`, `EC-HSM` or `oct-HSM`
        #[arg(long, default_value = "RSA")]
        kty: String,
        /// Its size in bits: 2048, 3072 or 4096 for RSA (2048 unless said), 128, 192 or 256 for oct-HSM (256)
        #[arg(long, value_name = "BITS")]
        size: Option<u32>,
        /// An EC key's curve: `P-256`, `P-256K`, `P-384` or `P-521`
        #[arg(long)]
        curve: Option<String>,
        /// What it is for, separated by commas, unless for all that its type can do: `encrypt`, `decrypt`,
        /// `sign`, `verify`, `wrapKey`, `unwrapKey`, `import`, `export`
        #[arg(long, value_delimiter = ',', value_parser = one_of_several())]
        ops: Option<Vec<String>>,
    },
    /// Show a key and its versions
    #[command(after_help = "Example:\n  sealock key show")]
    Show {
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Make a new version the current one; registries that follow the key take it
    #[command(after_help = "Example:\n  sealock key rotate")]
    Rotate {
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Disable a key version: registries that need it are revoked
    #[command(after_help = "Example:\n  sealock key disable")]
    Disable(Switch),
    /// Enable a key version: registries that need it come back
    #[command(after_help = "Example:\n  sealock key enable")]
    Enable(Switch),
    /// Change what a key version is for, and when
    #[command(after_help = "\
Examples:
  sealock key update --ops wrapKey,unwrapKey
  sealock key update mykey --expires 2030-01-01T00:00:00Z")]
    Update(Update),
    /// Show what becomes of a key as time passes, or say it
    #[command(
        subcommand,
        after_help = "Example:\n  sealock key rotation-policy update --file policy.json"
    )]
    RotationPolicy(RotationPolicyCommand),
    Backup(Backup),
    Restore(Restore),
    /// Delete a key; it can be recovered until it is purged
    #[command(after_help = "Example:\n  sealock key delete && sealock key recover")]
    Delete {
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Recover a deleted key
    #[command(after_help = "Example:\n  sealock key recover")]
    Recover {
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Purge a deleted key: what it encrypts is lost, unless there is a backup
    #[command(after_help = "Example:\n  sealock key delete && sealock key purge")]
    Purge {
        #[command(flatten)]
        key: KeyArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The key
    #[arg(default_value = DEFAULT_KEY)]
    name: KeyName,
    /// The vault that holds it
    #[arg(long, default_value = DEFAULT_VAULT)]
    vault: VaultName,
}

#[derive(Debug, Args)]
pub(crate) struct Switch {
    #[command(flatten)]
    key: KeyArgs,
    /// The version, if not the current one
    #[arg(long)]
    version: Option<KeyVersion>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    key: KeyArgs,
    /// The version, if not the current one
    #[arg(long)]
    version: Option<KeyVersion>,
    #[command(flatten)]
    change: KeyChange,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct KeyChange {
    /// What it is for, separated by commas: `encrypt`, `decrypt`, `sign`, `verify`, `wrapKey`, `unwrapKey`,
    /// `import`, `export`
    #[arg(long, value_delimiter = ',', value_parser = one_of_several())]
    ops: Option<Vec<String>>,
    /// From when on it can be used, as in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    not_before: Option<Timestamp>,
    /// Until when it can be used, as in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Keys {
    keys: Vec<Key>,
}

#[derive(Debug, Deserialize)]
struct Key {
    vault: String,
    name: String,
    kid: String,
    state: String,
    kty: String,
    #[serde(rename = "key_size")]
    bits: Option<u32>,
    #[serde(rename = "crv")]
    curve: Option<String>,
    enabled: bool,
    created: String,
    deleted: Option<String>,
    scheduled_purge: Option<String>,
    versions: Vec<Version>,
    /// The registries that should follow the key and could not, after a new version.
    #[serde(default)]
    left_behind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Version {
    #[serde(rename = "version")]
    id: String,
    kid: String,
    enabled: bool,
    current: bool,
    key_ops: Vec<String>,
    not_before: Option<String>,
    expires: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    created: String,
    updated: String,
}

impl KeyCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List(which) => {
                let vault = which.name();
                let answer = client.get(&format!("vaults/{vault}/keys"))?;
                output.show(&answer, Keys::render)
            }
            Self::Create {
                key,
                kty,
                size,
                curve,
                ops,
            } => {
                let body = json!({ "kty": kty, "key_size": size, "crv": curve, "key_ops": ops });
                let answer = client.post(&key.path(), Some(&body))?;
                output.show(&answer, |key: &Key| key.followed("created", client))
            }
            Self::Show { key } => output.show(&client.get(&key.path())?, Key::render),
            Self::Rotate { key } => {
                let answer = client.post(&format!("{}/rotate", key.path()), None)?;
                output.show(&answer, |key: &Key| key.followed("rotated to", client))
            }
            Self::Disable(switch) => switch.set_enabled(false, client, output),
            Self::Enable(switch) => switch.set_enabled(true, client, output),
            Self::Update(update) => update.run(client, output),
            Self::RotationPolicy(command) => command.run(client, output),
            Self::Backup(backup) => backup.run(client, output),
            Self::Restore(restore) => restore.run(client, output),
            Self::Delete { key } => {
                let answer = client.delete(&key.path())?;
                output.show(&answer, |key: &Key| {
                    let until = recoverable_until(key.scheduled_purge.as_deref());
                    format!("deleted {}{until}", key.kid)
                })
            }
            Self::Recover { key } => {
                let answer = client.post(&format!("{}/recover", key.deleted_path()), None)?;
                output.show(&answer, |key: &Key| format!("recovered {}", key.kid))
            }
            Self::Purge { key } => {
                // The answer to a purge is empty: only beforehand can the kid be known.
                let kid = key.kid(client)?;
                client.delete(&key.deleted_path())?;
                output.done(format!("purged {kid}"))
            }
        }
    }
}

impl Switch {
    fn set_enabled(self, enabled: bool, client: &Client, output: &mut Output) -> Result<(), Error> {
        let path = self.key.path_of(self.version.as_ref());
        let answer = client.patch(&path, &json!({ "enabled": enabled }))?;
        let done = if enabled { "enabled" } else { "disabled" };
        output.show(&answer, |key: &Key| {
            format!("{done} {}", key.kid_of(self.version.as_ref()))
        })
    }
}

impl Update {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let path = self.key.path_of(self.version.as_ref());
        let answer = client.patch(&path, &self.change.body())?;
        output.show(&answer, |key: &Key| {
            format!("updated {}", key.kid_of(self.version.as_ref()))
        })
    }
}

impl KeyChange {
    fn body(&self) -> Value {
        json!({ "key_ops": self.ops, "not_before": self.not_before, "expires": self.expires })
    }
}

impl KeyArgs {
    fn path_of(&self, version: Option<&KeyVersion>) -> String {
        match version {
            Some(version) => format!("{}/{version}", self.path()),
            None => self.path(),
        }
    }

    fn path(&self) -> String {
        format!("vaults/{}/keys/{}", self.vault, self.name)
    }

    fn deleted_path(&self) -> String {
        format!("vaults/{}/deleted-keys/{}", self.vault, self.name)
    }

    fn kid(&self, client: &Client) -> Result<String, Error> {
        let keys: Keys = client
            .get(&format!("vaults/{}/keys", self.vault))?
            .parse()?;
        let key = keys
            .keys
            .into_iter()
            .find(|key| key.name.eq_ignore_ascii_case(self.name.as_str()));
        Ok(key.map_or_else(
            || format!("{}/keys/{}", self.vault, self.name),
            |key| key.kid,
        ))
    }
}

impl Keys {
    fn render(&self) -> String {
        let rows = self.keys.iter().map(|key| {
            let versions = key.versions.len().to_string();
            [
                key.name.clone(),
                key.state(),
                key.kind(),
                versions,
                key.kid.clone(),
            ]
        });
        table(
            ["NAME", "STATE", "TYPE", "VERSIONS", "CURRENT VERSION"],
            rows,
        )
    }
}

impl Key {
    fn state(&self) -> String {
        if self.state == "active" {
            enabled_or_disabled(self.enabled)
        } else {
            self.state.clone()
        }
    }

    fn kind(&self) -> String {
        match (&self.curve, self.bits) {
            (Some(curve), _) => format!("{} {curve}", self.kty),
            (None, Some(bits)) => format!("{} {bits}", self.kty),
            (None, None) => self.kty.clone(),
        }
    }

    /// What was done, and which registries it did not reach.
    fn followed(&self, done: &str, client: &Client) -> String {
        let mut lines = vec![format!("{done} {}", self.kid)];
        lines.extend(self.left_behind.iter().map(|registry| {
            let warning = warning(registry, client);
            format!("{BAD}warning:{BAD:#} {}", client.commands(&warning))
        }));
        lines.join("\n")
    }

    fn kid_of(&self, version: Option<&KeyVersion>) -> &str {
        let version = version.and_then(|wanted| {
            self.versions
                .iter()
                .find(|version| version.id == wanted.as_str())
        });
        version.map_or(&self.kid, |version| &version.kid)
    }

    fn render(&self) -> String {
        let mut fields = vec![
            ("kid", self.kid.clone()),
            ("vault", self.vault.clone()),
            ("type", self.kind()),
        ];
        let current = self.versions.iter().find(|version| version.current);
        fields.extend(current.into_iter().flat_map(Version::fields));
        fields.push(("created", self.created.clone()));
        fields.extend(self.deleted.clone().map(|time| ("deleted", time)));
        fields.extend(
            self.scheduled_purge
                .clone()
                .map(|time| ("scheduled purge", time)),
        );
        let title = format!("{TITLE}{}{TITLE:#}  {}", self.name, self.state());

        let versions = self.versions.iter().map(|version| {
            let current = if version.current { "yes" } else { "no" };
            [
                version.id.clone(),
                enabled_or_disabled(version.enabled),
                current.to_owned(),
                version.created.clone(),
                version.updated.clone(),
                version
                    .expires
                    .clone()
                    .unwrap_or_else(|| "never".to_owned()),
            ]
        });
        let versions = table(
            [
                "VERSION", "STATE", "CURRENT", "CREATED", "UPDATED", "EXPIRES",
            ],
            versions,
        );
        format!("{}\n\n{versions}", record(title, fields))
    }
}

impl Version {
    /// What is said of the current one beside the key.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("operations", self.key_ops.join(", "))];
        fields.extend(self.not_before.clone().map(|time| ("not before", time)));
        fields.extend(self.expires.clone().map(|time| ("expires", time)));
        if !self.tags.is_empty() {
            let tags = self
                .tags
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            fields.push(("tags", tags.collect::<Vec<_>>().join(", ")));
        }
        fields
    }
}

/// That a registry did not follow the key to a new version, and how it comes to.
fn warning(registry: &str, client: &Client) -> String {
    let answer = client.get(&format!("registries/{registry}"));
    let found = answer.and_then(|answer| answer.parse::<Registry>());
    // What was done is done, whether or not more can be said of it.
    let next = match found.as_ref().map(Registry::restore) {
        Ok(Some(restore)) => format!("bring that back with: {restore}"),
        _ => format!("see: sealock registry show {registry}"),
    };
    format!(
        "registry {registry} still needs its old version, which a new one does not replace; {next}"
    )
}

fn enabled_or_disabled(enabled: bool) -> String {
    if enabled { "enabled" } else { "disabled" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        let version = |version: &str, current: bool| {
            json!({
                "version": version, "kid": format!("https://kv/keys/k/{version}"), "enabled": !current,
                "current": current, "key_ops": ["sign"], "created": "T1", "updated": "T2"
            })
        };
        let (new, old) = ("b".repeat(32), "a".repeat(32));
        serde_json::from_value(json!({
            "vault": "kv", "name": "k", "kid": format!("https://kv/keys/k/{new}"), "state": "active",
            "kty": "RSA", "key_size": 2048, "enabled": false, "created": "T1",
            "versions": [version(&new, true), version(&old, false)]
        }))
        .unwrap()
    }

    #[test]
    fn a_named_version_is_the_one_that_is_reported() {
        let key = key();
        let old = "a".repeat(32).parse().unwrap();
        assert_eq!(key.kid_of(Some(&old)), format!("https://kv/keys/k/{old}"));
        assert_eq!(key.kid_of(None), key.kid);
    }

    #[test]
    fn a_deleted_key_is_neither_enabled_nor_disabled() {
        let mut key = key();
        assert_eq!(key.state(), "disabled");
        key.state = "deleted".to_owned();
        assert_eq!(key.state(), "deleted");
    }
}
