mod credential;
mod garbage;
mod scope_map;
mod token;

use clap::{Args, Subcommand};
use sealock_api::{
    CreateRegistry, Encryption, EncryptionIdentity, Gate, Hint, KeyRotation, ListRegistries,
    LoginChange, LoginSettings, NewRegistry, Registries, Registry, RotateRegistryKey, ShowRegistry,
    Sku, UpdateLogin,
};
use sealock_core::{IdentityName, KeyIdentifier, RegistryName};

use self::{
    credential::CredentialCommand,
    garbage::{Gc, ShowUsage},
    scope_map::ScopeMapCommand,
    token::TokenCommand,
};
use crate::{
    client::Client,
    commands::Commands,
    error::Error,
    output::{BAD, GOOD, Output, TITLE, record, table},
};

/// The registry that a command means when it names none.
pub(crate) const DEFAULT_REGISTRY: &str = "sealock";

#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// List the registries
    #[command(after_help = "Example:\n  sealock registry list")]
    List,
    /// Create a registry, encrypted with a customer-managed key if one is given
    #[command(after_help = "\
Examples:
  sealock registry create plain
  sealock registry create myregistry --key sealock/registry-key --identity registry-identity")]
    Create(Create),
    /// Show a registry, its key and its gate
    #[command(after_help = "Example:\n  sealock registry show")]
    Show {
        /// The registry
        #[arg(default_value = DEFAULT_REGISTRY)]
        name: RegistryName,
    },
    /// Say who may log in to a registry, besides its tokens
    #[command(after_help = "Example:\n  sealock registry update --admin-enabled true")]
    Update(Update),
    /// The admin user's name and passwords
    #[command(
        subcommand,
        after_help = "Example:\n  sealock registry credential show"
    )]
    Credential(CredentialCommand),
    /// The repository-scoped tokens of a registry
    #[command(subcommand, after_help = "Example:\n  sealock registry token list")]
    Token(TokenCommand),
    /// What tokens may do
    #[command(subcommand, after_help = "Example:\n  sealock registry scope-map list")]
    ScopeMap(ScopeMapCommand),
    /// Say how much a registry holds
    #[command(after_help = "Example:\n  sealock registry show-usage")]
    ShowUsage(ShowUsage),
    /// Remove the blobs that no manifest refers to and that nobody asked for within the last hour
    #[command(after_help = "\
Examples:
  sealock registry gc --dry-run
  sealock registry gc --orphans --dry-run")]
    Gc(Gc),
    /// Wrap a registry's data encryption key anew: with its key's current version, or with another key
    #[command(after_help = "Example:\n  sealock registry rotate-key --key sealock/other-key")]
    RotateKey(RotateKey),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The registry
    name: RegistryName,
    /// Its service tier
    #[arg(long, default_value = "Premium")]
    sku: String,
    /// The key that encrypts it: VAULT/KEY[/VERSION] or a key's URL
    #[arg(long)]
    key: Option<String>,
    /// The managed identity that reaches the key
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The registry
    #[arg(default_value = DEFAULT_REGISTRY)]
    name: RegistryName,
    /// Whether the admin user may log in
    #[arg(long, value_name = "BOOL")]
    admin_enabled: Option<bool>,
    /// Whether everybody may pull
    #[arg(long, value_name = "BOOL")]
    anonymous_pull_enabled: Option<bool>,
}

#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    /// The registry
    #[arg(default_value = DEFAULT_REGISTRY)]
    name: RegistryName,
    /// The key to take from now on: VAULT/KEY[/VERSION] or a key's URL
    #[arg(long)]
    key: Option<String>,
    /// The managed identity to reach it with
    #[arg(long, value_name = "NAME")]
    identity: Option<IdentityName>,
}

impl RegistryCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.ask(&ListRegistries {})?, list),
            Self::Create(create) => create.run(client, output),
            Self::Show { name: registry } => output
                .show(&client.ask(&ShowRegistry { registry })?, |registry| {
                    render(registry, client.commands())
                }),
            Self::Update(update) => update.run(client, output),
            Self::Credential(command) => command.run(client, output),
            Self::Token(command) => command.run(client, output),
            Self::ScopeMap(command) => command.run(client, output),
            Self::ShowUsage(show_usage) => show_usage.run(client, output),
            Self::Gc(gc) => gc.run(client, output),
            Self::RotateKey(rotate_key) => rotate_key.run(client, output),
        }
    }
}

impl Create {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let registry = NewRegistry {
            sku: Some(self.sku.parse::<Sku>()?),
            key: key(self.key.as_deref())?,
            identity: self.identity,
        };
        let create = CreateRegistry {
            registry: self.name,
        };
        let answer = client.ask_with(&create, &registry)?;
        output.show(&answer, |registry: &Registry| {
            let (name, login_server) = (&registry.name, &registry.login_server);
            if answer.created() {
                format!("created registry {name} at {login_server}")
            } else {
                format!("registry {name} is as asked, at {login_server}")
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
            registry: self.name,
        };
        let answer = client.ask_with(&update, &change)?;
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
        "; everybody may pull"
    } else {
        ""
    };
    format!("{admin}{anonymous}")
}

impl RotateKey {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let rotation = KeyRotation {
            key: key(self.key.as_deref())?,
            identity: self.identity.map(|identity| identity.to_string()),
        };
        let rotate = RotateRegistryKey {
            registry: self.name,
        };
        let answer = client.ask_with(&rotate, &rotation)?;
        output.show(&answer, |registry: &Registry| match &registry.encryption {
            Encryption::Enabled {
                versioned_key_identifier: kid,
                ..
            } => format!("rotated registry {} to {kid}", registry.name),
            Encryption::Disabled => format!("registry {} has no key", registry.name),
        })
    }
}

fn key(text: Option<&str>) -> Result<Option<KeyIdentifier>, Error> {
    let key = text.map(str::parse::<KeyIdentifier>).transpose();
    key.map_err(|error| Error::Failed {
        message: error.to_string(),
        hint: None,
    })
}

fn list(list: &Registries) -> String {
    let rows = list.registries.iter().map(|registry| {
        let key = match &registry.encryption {
            Encryption::Enabled { key_identifier, .. } => key_identifier.clone(),
            Encryption::Disabled => "none".to_owned(),
        };
        let gate = match &registry.gate {
            Gate::Available => "available".to_owned(),
            Gate::Revoked { cause, .. } => format!("revoked ({cause})"),
            Gate::Unknown { .. } => "unknown".to_owned(),
        };
        let (name, login_server) = (registry.name.to_string(), registry.login_server.clone());
        [name, login_server, registry.sku.to_string(), gate, key]
    });
    table(["NAME", "LOGIN SERVER", "SKU", "GATE", "KEY"], rows)
}

/// A registry's name and whether its content can be had.
pub(crate) fn title(registry: &Registry) -> String {
    let name = &registry.name;
    match &registry.gate {
        Gate::Available => format!("{TITLE}{name}{TITLE:#}  {GOOD}available{GOOD:#}"),
        Gate::Revoked { cause, since, .. } => {
            format!("{TITLE}{name}{TITLE:#}  {BAD}revoked{BAD:#}: {cause} since {since}")
        }
        Gate::Unknown { message } => {
            format!("{TITLE}{name}{TITLE:#}  {BAD}unknown{BAD:#}: {message}")
        }
    }
}

/// The way back of a registry, if it is revoked and there is one.
pub(crate) fn way_back(registry: &Registry) -> Option<&Hint> {
    match &registry.gate {
        Gate::Revoked { restore, .. } => restore.as_ref(),
        Gate::Available | Gate::Unknown { .. } => None,
    }
}

/// Shows the key and identity behind a registry's DEK, and the reason if they are refused.
pub(crate) fn custody(registry: &Registry, commands: &Commands) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Gate::Revoked { message, .. } = &registry.gate {
        fields.push(("message", message.clone()));
        let restore = way_back(registry).and_then(|hint| commands.of(hint));
        fields.extend(restore.map(|restore| ("restore", restore)));
    }
    match &registry.encryption {
        Encryption::Disabled => fields.push(("key", "none, only the service's own".to_owned())),
        Encryption::Enabled {
            key_identifier,
            versioned_key_identifier,
            identity,
            ..
        } => fields.extend([
            ("key", key_identifier.clone()),
            ("key version", versioned_key_identifier.clone()),
            ("identity", named(identity)),
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

fn named(identity: &EncryptionIdentity) -> String {
    match &identity.name {
        Some(name) => name.to_string(),
        None => format!("client {} (the identity is gone)", identity.client_id),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_revoked_registry_says_why_and_since_when() {
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
                "key_rotation_enabled": true, "last_key_rotation": null
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
  identity      client {id} (the identity is gone)
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
