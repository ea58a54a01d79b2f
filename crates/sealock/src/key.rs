mod backup;
mod rotation_policy;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use sealock_api::{
    CreateKey, DeleteKey, Key, KeyChange, KeyOperation, Keys, ListKeys, NewKey, PurgeKey,
    RecoverKey, RotateKey, ShowKey, State, UnknownWord, UpdateKey, UpdateKeyVersion, Version,
};
use sealock_core::{KeyIdentifier, KeyVersion, VaultName};

use self::{
    backup::{Backup, Restore},
    rotation_policy::RotationPolicyCommand,
};

use crate::{
    arguments::{list_element, time},
    client::Client,
    effect::show_change,
    error::Error,
    key_reference::{KeyArgs, KeyVersionArgs},
    output::{Column, Output, Screen, TITLE, record},
    target::TargetArgs,
    vault::recoverable_until,
};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List a vault's keys, including deleted ones
    #[command(after_help = "Example:\n  sealock key list --vault sealock")]
    List(TargetArgs<VaultName>),
    /// Create a key, or a new version of an existing key
    #[command(after_help = "\
Examples:
  sealock key create mykey --size 3072
  sealock key create signer --kty EC --curve P-384")]
    Create(Create),
    /// Show a key and its versions
    #[command(after_help = "Example:\n  sealock key show")]
    Show(KeyArgs),
    /// Rotate a key: create a version, and rewrap the registries that follow the key
    #[command(after_help = "Example:\n  sealock key rotate")]
    Rotate(KeyArgs),
    /// Disable a key version, which revokes the registries that need it
    #[command(after_help = "Example:\n  sealock key disable")]
    Disable(KeyVersionArgs),
    /// Enable a key version, which restores the registries that need it
    #[command(after_help = "Example:\n  sealock key enable")]
    Enable(KeyVersionArgs),
    /// Change the operations and validity of a key version
    #[command(after_help = "\
Examples:
  sealock key update --ops wrapKey,unwrapKey
  sealock key update mykey --expires 2030-01-01T00:00:00Z")]
    Update(Update),
    /// Show or change a key's rotation policy
    #[command(
        subcommand,
        after_help = "Example:\n  sealock key rotation-policy update --file policy.json"
    )]
    RotationPolicy(RotationPolicyCommand),
    Backup(Backup),
    Restore(Restore),
    /// Delete a key; it can be recovered until it is purged
    #[command(after_help = "Example:\n  sealock key delete && sealock key recover")]
    Delete(KeyArgs),
    /// Recover a deleted key
    #[command(after_help = "Example:\n  sealock key recover")]
    Recover(KeyArgs),
    /// Purge a deleted key; without a backup, the content that it encrypts is lost
    #[command(after_help = "Example:\n  sealock key delete && sealock key purge --yes")]
    Purge(KeyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    key: KeyArgs,
    /// Key type: `RSA`, `RSA-HSM`, `EC`, `EC-HSM` or `oct-HSM`
    #[arg(long, default_value = "RSA")]
    kty: String,
    /// Key size: 2048, 3072 or 4096 for RSA [default: 2048]; 128, 192 or 256 for oct-HSM [default: 256]
    #[arg(long, value_name = "BITS")]
    size: Option<u32>,
    /// Curve of an EC key: `P-256`, `P-256K`, `P-384` or `P-521`
    #[arg(long)]
    curve: Option<String>,
    /// Permitted operations, separated by commas: `encrypt`, `decrypt`, `sign`, `verify`, `wrapKey`, `unwrapKey`,
    /// `import`, `export` [default: all that the type supports]
    #[arg(long, value_delimiter = ',', value_parser = list_element())]
    ops: Option<Vec<String>>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    version: KeyVersionArgs,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// Permitted operations, separated by commas: `encrypt`, `decrypt`, `sign`, `verify`, `wrapKey`, `unwrapKey`,
    /// `import`, `export`
    #[arg(long, value_delimiter = ',', value_parser = list_element())]
    ops: Option<Vec<String>>,
    /// Time from which the version is valid (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    not_before: Option<Timestamp>,
    /// Time at which the version expires (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires: Option<Timestamp>,
}

impl KeyCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output, yes: bool) -> Result<(), Error> {
        let screen = output.screen();
        match self {
            Self::List(TargetArgs { name: vault }) => {
                let answer = client.ask(&ListKeys { vault })?;
                output.show(&answer, |keys| list(keys, screen))
            }
            Self::Create(create) => create.run(client, output),
            Self::Show(key) => {
                let (vault, key) = key.names()?;
                let answer = client.ask(&ShowKey { vault, key })?;
                output.show(&answer, |key| render(key, screen))
            }
            Self::Rotate(key) => {
                let (vault, key) = key.names()?;
                let answer = client.ask(&RotateKey { vault, key })?;
                show_change(
                    &answer,
                    |key: &Key| format!("rotated to {}", key.kid),
                    client,
                    output,
                )
            }
            Self::Disable(version) => set_enabled(&version, false, client, output),
            Self::Enable(version) => set_enabled(&version, true, client, output),
            Self::Update(update) => update.run(client, output),
            Self::RotationPolicy(command) => command.run(client, output),
            Self::Backup(backup) => backup.run(client, output),
            Self::Restore(restore) => restore.run(client, output),
            Self::Delete(key) => {
                let (vault, key) = key.names()?;
                let answer = client.ask(&DeleteKey { vault, key })?;
                let done = |key: &Key| {
                    let until = recoverable_until(key.scheduled_purge);
                    format!("deleted {}{until}", key.kid)
                };
                show_change(&answer, done, client, output)
            }
            Self::Recover(key) => {
                let (vault, key) = key.names()?;
                let answer = client.ask(&RecoverKey { vault, key })?;
                show_change(
                    &answer,
                    |key: &Key| format!("recovered {}", key.kid),
                    client,
                    output,
                )
            }
            Self::Purge(key) => {
                let (vault, key) = key.names()?;
                if !yes {
                    return Err(Error::unconfirmed(format!(
                        "purging key {key} of vault {vault} cannot be undone; without a backup, the content that it \
                         encrypts is lost"
                    )));
                }
                let answer = client.ask(&PurgeKey {
                    vault: vault.clone(),
                    key: key.clone(),
                })?;
                let done = |_: &_| format!("purged key {key} of vault {vault}");
                show_change(&answer, done, client, output)
            }
        }
    }
}

impl Create {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let (vault, key) = self.key.names()?;
        let new = NewKey {
            kty: Some(self.kty.parse()?),
            key_size: self.size,
            crv: self.curve.as_deref().map(str::parse).transpose()?,
            key_ops: operations(self.ops)?,
        };
        let answer = client.ask_with_body(&CreateKey { vault, key }, &new)?;
        show_change(
            &answer,
            |key: &Key| format!("created {}", key.kid),
            client,
            output,
        )
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
        update("updated", &self.version, &change, client, output)
    }
}

fn set_enabled(
    version: &KeyVersionArgs,
    enabled: bool,
    client: &Client,
    output: &mut Output,
) -> Result<(), Error> {
    let change = KeyChange {
        enabled: Some(enabled),
        ..KeyChange::default()
    };
    let done = if enabled { "enabled" } else { "disabled" };
    update(done, version, &change, client, output)
}

fn update(
    done: &str,
    version: &KeyVersionArgs,
    change: &KeyChange,
    client: &Client,
    output: &mut Output,
) -> Result<(), Error> {
    let KeyIdentifier {
        vault,
        key,
        version,
    } = version.identifier()?;
    let answer = match version.clone() {
        Some(version) => {
            let update = UpdateKeyVersion {
                vault,
                key,
                version,
            };
            client.ask_with_body(&update, change)?
        }
        None => client.ask_with_body(&UpdateKey { vault, key }, change)?,
    };
    let done = |key: &Key| format!("{done} {}", kid_of(key, version.as_ref()));
    show_change(&answer, done, client, output)
}

fn operations(words: Option<Vec<String>>) -> Result<Option<Vec<KeyOperation>>, UnknownWord> {
    let parse = |words: Vec<String>| words.iter().map(|word| word.parse()).collect();
    words.map(parse).transpose()
}

fn list(list: &Keys, screen: Screen) -> String {
    let rows = list.keys.iter().map(|key| {
        let (_, version) = key.kid.rsplit_once('/').unwrap_or_default();
        [
            key.name.to_string(),
            state(key),
            kind(key),
            key.versions.len().to_string(),
            version.to_owned(),
            key.kid.clone(),
        ]
    });
    let columns = [
        Column::Always("NAME"),
        Column::Always("STATE"),
        Column::Always("TYPE"),
        Column::Always("VERSIONS"),
        Column::Narrow("CURRENT VERSION"),
        Column::Wide("CURRENT VERSION"),
    ];
    screen.table(columns, rows)
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

fn kid_of<'a>(key: &'a Key, version: Option<&KeyVersion>) -> &'a str {
    let mut versions = key.versions.iter();
    let version = version.and_then(|wanted| versions.find(|it| it.version == *wanted));
    version.map_or(&key.kid, |version| &version.kid)
}

fn render(key: &Key, screen: Screen) -> String {
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
    let columns = [
        Column::Always("VERSION"),
        Column::Always("STATE"),
        Column::Always("CURRENT"),
        Column::Always("CREATED"),
        Column::Wide("UPDATED"),
        Column::Wide("EXPIRES"),
    ];
    let versions = screen.table(columns, versions);
    format!("{}\n\n{versions}", record(title, fields))
}

/// Returns the fields of the current version that are shown with the key.
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
    fn update_reports_the_version_that_was_named() {
        let key = key();
        let old = "a".repeat(32).parse().unwrap();
        assert_eq!(kid_of(&key, Some(&old)), format!("https://kv/keys/k/{old}"));
        assert_eq!(kid_of(&key, None), key.kid);
    }

    #[test]
    fn state_of_a_deleted_key_is_deleted() {
        let mut key = key();
        assert_eq!(state(&key), "disabled");
        key.state = State::Deleted;
        assert_eq!(state(&key), "deleted");
    }
}
