mod backup;
mod rotation_policy;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use sealock_api::{
    CreateKey, DeleteKey, Key, KeyChange, KeyOperation, Keys, ListKeys, NewKey, NewVersion,
    PurgeKey, RecoverKey, RotateKey, ShowKey, ShowRegistry, State, UnknownWord, UpdateKey,
    UpdateKeyVersion, Version,
};
use sealock_core::{KeyName, KeyVersion, RegistryName, VaultName};

use self::{
    backup::{Backup, Restore},
    rotation_policy::RotationPolicyCommand,
};

use crate::{
    cli::{one_of_several, time},
    client::{Answer, Client},
    error::Error,
    output::{BAD, Output, TITLE, record, table},
    registry,
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
    change: Change,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
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

impl KeyCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List(which) => {
                let vault = which.name().clone();
                output.show(&client.ask(&ListKeys { vault })?, list)
            }
            Self::Create {
                key: KeyArgs { vault, name: key },
                kty,
                size,
                curve,
                ops,
            } => {
                let new = NewKey {
                    kty: Some(kty.parse()?),
                    key_size: size,
                    crv: curve.as_deref().map(str::parse).transpose()?,
                    key_ops: operations(ops)?,
                };
                let answer = client.ask_with(&CreateKey { vault, key }, &new)?;
                output.show(&answer, |key| followed("created", key, client))
            }
            Self::Show {
                key: KeyArgs { vault, name: key },
            } => output.show(&client.ask(&ShowKey { vault, key })?, render),
            Self::Rotate {
                key: KeyArgs { vault, name: key },
            } => {
                let answer = client.ask(&RotateKey { vault, key })?;
                output.show(&answer, |key| followed("rotated to", key, client))
            }
            Self::Disable(switch) => switch.set_enabled(false, client, output),
            Self::Enable(switch) => switch.set_enabled(true, client, output),
            Self::Update(update) => update.run(client, output),
            Self::RotationPolicy(command) => command.run(client, output),
            Self::Backup(backup) => backup.run(client, output),
            Self::Restore(restore) => restore.run(client, output),
            Self::Delete {
                key: KeyArgs { vault, name: key },
            } => {
                let answer = client.ask(&DeleteKey { vault, key })?;
                output.show(&answer, |key: &Key| {
                    let until = recoverable_until(key.scheduled_purge);
                    format!("deleted {}{until}", key.kid)
                })
            }
            Self::Recover {
                key: KeyArgs { vault, name: key },
            } => {
                let answer = client.ask(&RecoverKey { vault, key })?;
                output.show(&answer, |key: &Key| format!("recovered {}", key.kid))
            }
            Self::Purge { key } => {
                // The answer to a purge is empty: only beforehand can the kid be known.
                let kid = key.kid(client)?;
                let KeyArgs { vault, name: key } = key;
                client.ask(&PurgeKey { vault, key })?;
                output.done(format!("purged {kid}"))
            }
        }
    }
}

impl Switch {
    fn set_enabled(self, enabled: bool, client: &Client, output: &mut Output) -> Result<(), Error> {
        let change = KeyChange {
            enabled: Some(enabled),
            ..KeyChange::default()
        };
        let version = self.version;
        let answer = self.key.change(version.clone(), &change, client)?;
        let done = if enabled { "enabled" } else { "disabled" };
        output.show(&answer, |key| {
            format!("{done} {}", kid_of(key, version.as_ref()))
        })
    }
}

impl Update {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let change = KeyChange {
            enabled: None,
            key_ops: operations(self.change.ops)?,
            not_before: self.change.not_before.map(Into::into),
            expires: self.change.expires.map(Into::into),
        };
        let version = self.version;
        let answer = self.key.change(version.clone(), &change, client)?;
        output.show(&answer, |key| {
            format!("updated {}", kid_of(key, version.as_ref()))
        })
    }
}

fn operations(words: Option<Vec<String>>) -> Result<Option<Vec<KeyOperation>>, UnknownWord> {
    let parse = |words: Vec<String>| words.iter().map(|word| word.parse()).collect();
    words.map(parse).transpose()
}

impl KeyArgs {
    fn change(
        self,
        version: Option<KeyVersion>,
        change: &KeyChange,
        client: &Client,
    ) -> Result<Answer<Key>, Error> {
        let Self { vault, name: key } = self;
        match version {
            Some(version) => {
                let update = UpdateKeyVersion {
                    vault,
                    key,
                    version,
                };
                client.ask_with(&update, change)
            }
            None => client.ask_with(&UpdateKey { vault, key }, change),
        }
    }

    fn kid(&self, client: &Client) -> Result<String, Error> {
        let vault = self.vault.clone();
        let keys = client.ask(&ListKeys { vault })?.parse()?;
        let key = keys.keys.into_iter().find(|key| key.name == self.name);
        Ok(key.map_or_else(
            || format!("{}/keys/{}", self.vault, self.name),
            |key| key.kid,
        ))
    }
}

fn list(list: &Keys) -> String {
    let rows = list.keys.iter().map(|key| {
        [
            key.name.to_string(),
            state(key),
            kind(key),
            key.versions.len().to_string(),
            key.kid.clone(),
        ]
    });
    table(
        ["NAME", "STATE", "TYPE", "VERSIONS", "CURRENT VERSION"],
        rows,
    )
}

fn state(key: &Key) -> String {
    match key.state {
        State::Active => enabled_or_disabled(key.enabled),
        state => state.to_string(),
    }
}

fn kind(key: &Key) -> String {
    match key.crv {
        Some(curve) => format!("{} {curve}", key.kty),
        None => format!("{} {}", key.kty, key.key_size),
    }
}

/// Tells what was done, and the registries that it did not reach.
fn followed(done: &str, new: &NewVersion, client: &Client) -> String {
    let mut lines = vec![format!("{done} {}", new.key.kid)];
    lines.extend(new.left_behind.iter().map(|registry| {
        let warning = warning(registry, client);
        format!("{BAD}warning:{BAD:#} {warning}")
    }));
    lines.join("\n")
}

fn kid_of<'a>(key: &'a Key, version: Option<&KeyVersion>) -> &'a str {
    let mut versions = key.versions.iter();
    let version = version.and_then(|wanted| versions.find(|it| it.version == *wanted));
    version.map_or(&key.kid, |version| &version.kid)
}

fn render(key: &Key) -> String {
    let mut fields = vec![
        ("kid", key.kid.clone()),
        ("vault", key.vault.to_string()),
        ("type", kind(key)),
    ];
    let current = key.versions.iter().find(|version| version.current);
    fields.extend(current.into_iter().flat_map(current_fields));
    fields.push(("created", key.created.to_string()));
    fields.extend(key.deleted.map(|time| ("deleted", time.to_string())));
    fields.extend(
        key.scheduled_purge
            .map(|time| ("scheduled purge", time.to_string())),
    );
    let title = format!("{TITLE}{}{TITLE:#}  {}", key.name, state(key));

    let versions = key.versions.iter().map(|version| {
        let current = if version.current { "yes" } else { "no" };
        let expires = version.expires.map(|time| time.to_string());
        [
            version.version.to_string(),
            enabled_or_disabled(version.enabled),
            current.to_owned(),
            version.created.to_string(),
            version.updated.to_string(),
            expires.unwrap_or_else(|| "never".to_owned()),
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

/// The fields of the current version that are shown beside the key.
fn current_fields(version: &Version) -> Vec<(&'static str, String)> {
    let operations = version.key_ops.iter().map(ToString::to_string);
    let mut fields = vec![("operations", operations.collect::<Vec<_>>().join(", "))];
    fields.extend(
        version
            .not_before
            .map(|time| ("not before", time.to_string())),
    );
    fields.extend(version.expires.map(|time| ("expires", time.to_string())));
    if !version.tags.is_empty() {
        let tags = version
            .tags
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        fields.push(("tags", tags.collect::<Vec<_>>().join(", ")));
    }
    fields
}

/// Warns that a registry did not follow the key to a new version, and says how it comes to.
fn warning(registry: &RegistryName, client: &Client) -> String {
    let show = ShowRegistry {
        registry: registry.clone(),
    };
    let found = client.ask(&show).and_then(|answer| answer.parse());
    let commands = client.commands();
    // What was done is done, whether or not more can be said of it.
    let found = found.as_ref().ok().and_then(registry::way_back);
    let next = match found.and_then(|hint| commands.of(hint)) {
        Some(restore) => format!("bring that back with: {restore}"),
        None => format!(
            "see: {}",
            commands.command(format_args!("registry show {registry}"))
        ),
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
    use serde_json::json;

    use super::*;

    const TIME: &str = "2026-01-01T00:00:00Z";

    fn key() -> Key {
        let version = |version: &str, current: bool| {
            json!({
                "version": version, "kid": format!("https://kv/keys/k/{version}"), "enabled": !current,
                "current": current, "key_ops": ["sign"], "created": TIME, "updated": TIME
            })
        };
        let (new, old) = ("b".repeat(32), "a".repeat(32));
        serde_json::from_value(json!({
            "vault": "kv1", "name": "k", "kid": format!("https://kv/keys/k/{new}"), "state": "active",
            "kty": "RSA", "key_size": 2048, "enabled": false, "created": TIME,
            "versions": [version(&new, true), version(&old, false)]
        }))
        .unwrap()
    }

    #[test]
    fn a_named_version_is_the_one_that_is_reported() {
        let key = key();
        let old = "a".repeat(32).parse().unwrap();
        assert_eq!(kid_of(&key, Some(&old)), format!("https://kv/keys/k/{old}"));
        assert_eq!(kid_of(&key, None), key.kid);
    }

    #[test]
    fn a_deleted_key_is_neither_enabled_nor_disabled() {
        let mut key = key();
        assert_eq!(state(&key), "disabled");
        key.state = State::Deleted;
        assert_eq!(state(&key), "deleted");
    }
}
