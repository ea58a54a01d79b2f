mod credential;
mod garbage;
mod identity;
mod scope_map;
mod token;

use std::net::ToSocketAddrs as _;

use clap::{Args, Subcommand};
use sealock_api::{
    CreateRegistry, DeleteRegistry, Encryption, EncryptionIdentity, Gate, Hint, KeyRotation,
    ListRegistries, LoginChange, LoginSettings, NewRegistry, Registries, Registry,
    RotateRegistryKey, ShowRegistry, Sku, UpdateLogin,
};
use sealock_core::{ChosenKey, IdentityName, KeyIdentifier, RegistryName};

use self::{
    credential::CredentialCommand, garbage::Gc, identity::IdentityCommand,
    scope_map::ScopeMapCommand, token::TokenCommand,
};
use crate::{
    client::Client,
    commands::{Commands, explain_placeholder},
    effect::show_change,
    error::Error,
    key_reference::KeyReference,
    output::{BAD, Column, GOOD, HINT, Output, Screen, TITLE, record},
    progress,
    target::TargetArgs,
};

#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// List the registries
    #[command(after_help = "Example:\n  sealock registry list")]
    List,
    /// Create a registry, optionally encrypted with a customer-managed key
    #[command(after_help = "\
Examples:
  sealock registry create plain
  sealock key create mykey
  sealock identity create myidentity && sealock access grant --identity myidentity
  sealock registry create myregistry --key mykey --identity myidentity")]
    Create(Create),
    /// Show a registry, its key and its state
    #[command(after_help = "Example:\n  sealock registry show")]
    Show(TargetArgs<RegistryName>),
    /// Turn the admin user or anonymous pull on or off
    #[command(after_help = "Example:\n  sealock registry update --admin-enabled true")]
    Update(Update),
    /// Show or renew the admin user's passwords
    #[command(
        subcommand,
        after_help = "Example:\n  sealock registry credential show"
    )]
    Credential(CredentialCommand),
    /// Manage the repository-scoped tokens of a registry
    #[command(subcommand, after_help = "Example:\n  sealock registry token list")]
    Token(TokenCommand),
    /// Manage scope maps, which define what tokens may do
    #[command(subcommand, after_help = "Example:\n  sealock registry scope-map list")]
    ScopeMap(ScopeMapCommand),
    /// Show a registry's storage usage
    #[command(after_help = "Example:\n  sealock registry show-usage")]
    ShowUsage(TargetArgs<RegistryName>),
    /// Remove unreferenced blobs that nobody requested within the last hour
    #[command(after_help = "\
Examples:
  sealock registry gc --dry-run
  sealock registry gc --orphans --dry-run")]
    Gc(Gc),
    /// Rewrap a registry's data encryption key with its key's current version, or with another key
    #[command(after_help = "Example:\n  sealock registry rotate-key --key sealock/other-key")]
    RotateKey(RotateKey),
    /// Manage the identities that are assigned to a registry
    #[command(subcommand, after_help = "Example:\n  sealock registry identity list")]
    Identity(IdentityCommand),
    /// Delete a registry with all its content for good; its key stays
    #[command(after_help = "Example:\n  sealock registry delete myregistry --yes")]
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Name of the registry
    #[arg(value_name = "REGISTRY")]
    name: RegistryName,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the registry
    #[arg(value_name = "REGISTRY")]
    name: RegistryName,
    /// Service tier
    #[arg(long, default_value = "Premium")]
    sku: String,
    /// Key that encrypts the registry: `KEY`, `VAULT/KEY`, `VAULT/KEY/VERSION` or a URL
    #[arg(long)]
    key: Option<KeyReference>,
    /// Managed identity that accesses the key
    #[arg(long)]
    identity: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    registry: TargetArgs<RegistryName>,
    /// Allow the admin user to log in
    #[arg(long, value_name = "BOOL")]
    admin_enabled: Option<bool>,
    /// Allow anyone to pull without logging in
    #[arg(long, value_name = "BOOL")]
    anonymous_pull_enabled: Option<bool>,
}

#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    #[command(flatten)]
    registry: TargetArgs<RegistryName>,
    /// New key: `KEY`, `VAULT/KEY`, `VAULT/KEY/VERSION` or a URL
    #[arg(long)]
    key: Option<KeyReference>,
    /// New managed identity that accesses the key
    #[arg(long)]
    identity: Option<IdentityName>,
}

impl RegistryCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output, yes: bool) -> Result<(), Error> {
        let screen = output.screen();
        match self {
            Self::List => output.show(&client.ask(&ListRegistries {})?, |registries| {
                list(registries, screen)
            }),
            Self::Create(create) => create.run(client, output),
            Self::Show(TargetArgs { name: registry }) => output
                .show(&client.ask(&ShowRegistry { registry })?, |registry| {
                    render(registry, client.commands())
                }),
            Self::Update(update) => update.run(client, output),
            Self::Credential(command) => command.run(client, output),
            Self::Token(command) => command.run(client, output),
            Self::ScopeMap(command) => command.run(client, output),
            Self::ShowUsage(registry) => garbage::show_usage(registry, client, output),
            Self::Gc(gc) => gc.run(client, output),
            Self::Identity(command) => command.run(client, output),
            Self::RotateKey(rotate_key) => rotate_key.run(client, output),
            Self::Delete(Delete { name }) => {
                if !yes {
                    return Err(Error::unconfirmed(format!(
                        "deleting registry {name} cannot be undone; all its content is lost"
                    )));
                }
                let (client, registry) = (client.without_timeout(), name.clone());
                progress::during("deleting", || client.ask(&DeleteRegistry { registry }))?;
                output.done(format!("deleted registry {name}"))
            }
        }
    }
}

impl Create {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let registry = NewRegistry {
            sku: Some(self.sku.parse::<Sku>()?),
            key: chosen(self.key)?,
            identity: self.identity,
        };
        let create = CreateRegistry {
            registry: self.name,
        };
        let answer = client.ask_with_body(&create, &registry)?;
        let is_terminal = output.screen().is_terminal();
        output.show(&answer, |registry: &Registry| {
            let (name, login_server) = (&registry.name, &registry.login_server);
            let done = if answer.is_created() {
                format!("created registry {name} at {login_server}")
            } else {
                format!("registry {name} exists with these settings at {login_server}")
            };
            if is_terminal && login_server.to_socket_addrs().is_err() {
                let write = client.commands().command("hosts --write");
                format!(
                    "{done}\n{HINT}note:{HINT:#} this system cannot resolve that name; add it with: sudo {write}"
                )
            } else {
                done
            }
        })
    }
}

impl Update {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let change = LoginChange {
            admin_enabled: self.admin_enabled,
            anonymous_pull_enabled: self.anonymous_pull_enabled,
        };
        let update = UpdateLogin {
            registry: self.registry.name,
        };
        let answer = client.ask_with_body(&update, &change)?;
        output.show(&answer, |login| {
            format!("registry {}: {}", update.registry, logins(*login))
        })
    }
}

fn logins(login: LoginSettings) -> String {
    let admin = if login.admin_enabled {
        "the admin user and tokens may log in"
    } else {
        "tokens may log in, the admin user may not"
    };
    let anonymous = if login.anonymous_pull_enabled {
        "; anyone may pull"
    } else {
        ""
    };
    format!("{admin}{anonymous}")
}

impl RotateKey {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let rotation = KeyRotation {
            key: chosen(self.key)?,
            identity: self.identity.map(|identity| identity.to_string()),
        };
        let rotate = RotateRegistryKey {
            registry: self.registry.name,
        };
        let answer = client.ask_with_body(&rotate, &rotation)?;
        let done = |registry: &Registry| match &registry.encryption {
            Encryption::Enabled {
                versioned_key_identifier: kid,
                ..
            } => format!("rotated registry {} to {kid}", registry.name),
            Encryption::Disabled => format!("registry {} has no key", registry.name),
        };
        show_change(&answer, done, client, output)
    }
}

fn chosen(key: Option<KeyReference>) -> Result<Option<ChosenKey>, Error> {
    key.map(KeyReference::chosen).transpose()
}

fn list(list: &Registries, screen: Screen) -> String {
    let rows = list.registries.iter().map(|registry| {
        let key = match &registry.encryption {
            Encryption::Enabled { key_identifier, .. } => key_identifier.clone(),
            Encryption::Disabled => "none".to_owned(),
        };
        [
            registry.name.to_string(),
            registry.sku.to_string(),
            gate(&registry.gate),
            shortened(&key),
            key,
            registry.login_server.clone(),
        ]
    });
    let columns = [
        Column::Always("NAME"),
        Column::Always("SKU"),
        Column::Always("GATE"),
        Column::Narrow("KEY"),
        Column::Wide("KEY"),
        Column::Wide("LOGIN SERVER"),
    ];
    screen.table(columns, rows)
}

fn gate(gate: &Gate) -> String {
    match gate {
        Gate::Available { .. } => "available".to_owned(),
        Gate::Revoked { cause, .. } => format!("revoked ({cause})"),
        Gate::Unknown { .. } => "unknown".to_owned(),
    }
}

/// Shortens a key's URL to `VAULT/KEY`, and its version, if any, to its beginning.
pub(crate) fn shortened(key: &str) -> String {
    let Ok(KeyIdentifier {
        vault,
        key: name,
        version,
    }) = key.parse()
    else {
        return key.to_owned();
    };
    match version {
        None => format!("{vault}/{name}"),
        Some(version) => {
            let version = version.to_string();
            let (beginning, _) = version.split_at_checked(7).unwrap_or((&version, ""));
            format!("{vault}/{name}/{beginning}")
        }
    }
}

/// Renders a registry's name and the state of its gate.
pub(crate) fn title(registry: &Registry) -> String {
    let name = &registry.name;
    match &registry.gate {
        Gate::Available {
            pending_revocation: None,
        } => {
            format!("{TITLE}{name}{TITLE:#}  {GOOD}available{GOOD:#}")
        }
        Gate::Available {
            pending_revocation: Some(pending),
        } => {
            let (at, cause) = (pending.at, pending.cause);
            format!("{TITLE}{name}{TITLE:#}  {BAD}available until {at}{BAD:#}: {cause}")
        }
        Gate::Revoked { cause, since, .. } => {
            format!("{TITLE}{name}{TITLE:#}  {BAD}revoked{BAD:#}: {cause} since {since}")
        }
        Gate::Unknown { message } => {
            format!("{TITLE}{name}{TITLE:#}  {BAD}unknown{BAD:#}: {message}")
        }
    }
}

/// Returns the hint that restores a registry that is revoked or will be.
fn restore_hint(registry: &Registry) -> Option<&Hint> {
    match &registry.gate {
        Gate::Revoked { restore, .. } => restore.as_ref(),
        Gate::Available { pending_revocation } => pending_revocation.as_ref()?.restore.as_ref(),
        Gate::Unknown { .. } => None,
    }
}

/// Renders the key and identity of a registry, and the cause and remedy if it is revoked.
pub(crate) fn custody(registry: &Registry, commands: &Commands) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Gate::Revoked { message, .. } = &registry.gate {
        fields.push(("message", message.clone()));
    }
    let restore = restore_hint(registry).and_then(|hint| commands.for_hint(hint));
    fields.extend(restore.map(|restore| ("restore", restore)));
    let placeholder = restore_hint(registry).and_then(explain_placeholder);
    fields.extend(placeholder.map(|meaning| ("", format!("({meaning})"))));
    if let Encryption::Enabled {
        behind: Some(behind),
        ..
    } = &registry.encryption
    {
        let (cause, since) = (behind.cause, behind.since);
        fields.push((
            "behind",
            format!("cannot follow its key: {cause} since {since}"),
        ));
        let remedy = behind
            .remedy
            .as_ref()
            .and_then(|hint| commands.for_hint(hint));
        fields.extend(remedy.map(|remedy| ("remedy", remedy)));
    }
    match &registry.encryption {
        Encryption::Disabled => fields.push(("key", "none, only the service key".to_owned())),
        Encryption::Enabled {
            key_identifier,
            versioned_key_identifier,
            identity,
            ..
        } => fields.extend([
            ("key", key_identifier.clone()),
            ("key version", versioned_key_identifier.clone()),
            ("identity", identity_label(identity)),
        ]),
    }
    fields
}

fn render(registry: &Registry, commands: &Commands) -> String {
    let mut fields = custody(registry, commands);
    if let Encryption::Enabled {
        key_rotation_enabled,
        last_key_rotation,
        ..
    } = &registry.encryption
    {
        let follows = if *key_rotation_enabled {
            "follows the key"
        } else {
            "fixed to a version"
        };
        let last = last_key_rotation.map_or_else(|| "never".to_owned(), |time| time.to_string());
        fields.push(("rotation", format!("{follows}, last: {last}")));
    }
    fields.extend([
        ("login server", registry.login_server.clone()),
        ("login", logins(registry.login)),
        ("sku", registry.sku.to_string()),
        ("id", registry.id.to_string()),
        ("created", registry.created.to_string()),
    ]);
    record(title(registry), fields)
}

fn identity_label(identity: &EncryptionIdentity) -> String {
    match &identity.name {
        Some(name) => name.to_string(),
        None => format!("client {} (its identity is deleted)", identity.client_id),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn revoked_registry_is_shown_with_cause_and_remedy() {
        let id = "ab147f09-698d-4ace-a89f-8bd78fdef7d2";
        let version = "a".repeat(32);
        let registry: Registry = serde_json::from_value(json!({
            "name": "sealock", "id": id, "login_server": "sealock.azurecr.localhost:5000",
            "sku": "Premium", "created": "2026-01-01T00:00:00Z",
            "admin_enabled": true, "anonymous_pull_enabled": false,
            "encryption": {
                "status": "enabled", "key_identifier": "https://kv/keys/k",
                "versioned_key_identifier": "https://kv/keys/k/v",
                "identity": {"name": null, "client_id": id},
                "key_rotation_enabled": true, "last_key_rotation": null, "behind": null
            },
            "gate": {
                "state": "revoked", "cause": "KeyDisabled", "message": "Access to the key is denied",
                "key": "https://kv/keys/k", "since": "2026-01-02T00:00:00Z",
                "restore": {"action": "enable_key", "vault": "kv1", "key": "k", "version": version}
            }
        }))
        .unwrap();
        let text = render(&registry, &Commands::default());
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            format!(
                "\
sealock  revoked: KeyDisabled since 2026-01-02T00:00:00Z
  message       Access to the key is denied
  restore       sealock key enable k --vault kv1 --version {version}
  key           https://kv/keys/k
  key version   https://kv/keys/k/v
  identity      client {id} (its identity is deleted)
  rotation      follows the key, last: never
  login server  sealock.azurecr.localhost:5000
  login         the admin user and tokens may log in
  sku           Premium
  id            {id}
  created       2026-01-01T00:00:00Z"
            )
        );
    }
}
