mod credential;
mod garbage;
mod scope_map;
mod token;

use clap::{Args, Subcommand};
use sealock_core::{IdentityName, RegistryName};
use serde::Deserialize;
use serde_json::json;

use self::{
    credential::CredentialCommand,
    garbage::{Gc, ShowUsage},
    scope_map::ScopeMapCommand,
    token::TokenCommand,
};
use crate::{
    client::Client,
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

/// The control API's list of registries.
#[derive(Debug, Deserialize)]
pub(crate) struct Registries {
    pub(crate) registries: Vec<Registry>,
}

/// The control API's record of a registry.
#[derive(Debug, Deserialize)]
pub(crate) struct Registry {
    name: String,
    id: String,
    login_server: String,
    sku: String,
    created: String,
    #[serde(flatten)]
    login: Login,
    encryption: Encryption,
    gate: Gate,
}

#[derive(Debug, Deserialize)]
struct Login {
    admin_enabled: bool,
    anonymous_pull_enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Encryption {
    Disabled,
    Enabled(Custody),
}

#[derive(Debug, Deserialize)]
struct Custody {
    key_identifier: String,
    versioned_key_identifier: String,
    identity: Identity,
    key_rotation_enabled: bool,
    last_key_rotation: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Identity {
    name: Option<String>,
    client_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum Gate {
    Available,
    Revoked {
        cause: String,
        message: String,
        since: String,
        restore: Option<String>,
    },
    Unknown {
        message: String,
    },
}

impl RegistryCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.get("registries")?, Registries::render),
            Self::Create(create) => create.run(client, output),
            Self::Show { name } => output.show(
                &client.get(&format!("registries/{name}"))?,
                |registry: &Registry| registry.render(client),
            ),
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
        let mut body = json!({ "sku": self.sku });
        if let Some(key) = self.key {
            body["key"] = key.into();
        }
        if let Some(identity) = self.identity {
            body["identity"] = identity.into();
        }
        let answer = client.put(&format!("registries/{}", self.name), Some(&body))?;
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
        let body = json!({
            "admin_enabled": self.admin_enabled,
            "anonymous_pull_enabled": self.anonymous_pull_enabled,
        });
        let answer = client.patch(&format!("registries/{}/login", self.name), &body)?;
        output.show(&answer, |login: &Login| {
            format!("registry {}: {}", self.name, login.sentence())
        })
    }
}

impl Login {
    fn sentence(&self) -> String {
        let admin = if self.admin_enabled {
            "the admin user and tokens may log in"
        } else {
            "tokens may log in, the admin user may not"
        };
        let anonymous = if self.anonymous_pull_enabled {
            "; everybody may pull"
        } else {
            ""
        };
        format!("{admin}{anonymous}")
    }
}

impl RotateKey {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let mut body = json!({});
        if let Some(key) = self.key {
            body["key"] = key.into();
        }
        if let Some(identity) = self.identity {
            body["identity"] = identity.as_str().into();
        }
        let answer = client.post(&format!("registries/{}/rotate-key", self.name), Some(&body))?;
        output.show(&answer, |registry: &Registry| match &registry.encryption {
            Encryption::Enabled(custody) => {
                let (name, kid) = (&registry.name, &custody.versioned_key_identifier);
                format!("rotated registry {name} to {kid}")
            }
            Encryption::Disabled => format!("registry {} has no key", registry.name),
        })
    }
}

impl Registries {
    fn render(&self) -> String {
        let rows = self.registries.iter().map(|registry| {
            let key = match &registry.encryption {
                Encryption::Enabled(custody) => custody.key_identifier.clone(),
                Encryption::Disabled => "none".to_owned(),
            };
            let gate = match &registry.gate {
                Gate::Available => "available".to_owned(),
                Gate::Revoked { cause, .. } => format!("revoked ({cause})"),
                Gate::Unknown { .. } => "unknown".to_owned(),
            };
            let (name, login_server, sku) = (&registry.name, &registry.login_server, &registry.sku);
            [name.clone(), login_server.clone(), sku.clone(), gate, key]
        });
        table(["NAME", "LOGIN SERVER", "SKU", "GATE", "KEY"], rows)
    }
}

impl Registry {
    /// Its name and whether its content can be had.
    pub(crate) fn title(&self) -> String {
        let name = &self.name;
        match &self.gate {
            Gate::Available => format!("{TITLE}{name}{TITLE:#}  {GOOD}available{GOOD:#}"),
            Gate::Revoked { cause, since, .. } => {
                format!("{TITLE}{name}{TITLE:#}  {BAD}revoked{BAD:#}: {cause} since {since}")
            }
            Gate::Unknown { message } => {
                format!("{TITLE}{name}{TITLE:#}  {BAD}unknown{BAD:#}: {message}")
            }
        }
    }

    /// The command that brings it back, if it is revoked and there is one.
    pub(crate) fn restore(&self) -> Option<&str> {
        match &self.gate {
            Gate::Revoked { restore, .. } => restore.as_deref(),
            Gate::Available | Gate::Unknown { .. } => None,
        }
    }

    /// Who holds its data encryption key, and why it is refused if it is.
    pub(crate) fn custody(&self, client: &Client) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        if let Gate::Revoked {
            message, restore, ..
        } = &self.gate
        {
            fields.push(("message", message.clone()));
            fields.extend(
                restore
                    .as_ref()
                    .map(|restore| ("restore", client.commands(restore))),
            );
        }
        match &self.encryption {
            Encryption::Disabled => fields.push(("key", "none, only the service's own".to_owned())),
            Encryption::Enabled(custody) => fields.extend([
                ("key", custody.key_identifier.clone()),
                ("key version", custody.versioned_key_identifier.clone()),
                ("identity", custody.identity.render()),
            ]),
        }
        fields
    }

    fn render(&self, client: &Client) -> String {
        let mut fields = self.custody(client);
        if let Encryption::Enabled(custody) = &self.encryption {
            let follows = if custody.key_rotation_enabled {
                "follows the key"
            } else {
                "fixed to a version"
            };
            let last = custody.last_key_rotation.as_deref().unwrap_or("never");
            fields.push(("rotation", format!("{follows}, last: {last}")));
        }
        fields.extend([
            ("login server", self.login_server.clone()),
            ("login", self.login.sentence()),
            ("sku", self.sku.clone()),
            ("id", self.id.clone()),
            ("created", self.created.clone()),
        ]);
        record(self.title(), fields)
    }
}

impl Identity {
    fn render(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("client {} (the identity is gone)", self.client_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::parser::ValueSource;

    #[test]
    fn a_revoked_registry_says_why_and_since_when() {
        let registry: Registry = serde_json::from_value(json!({
            "name": "sealock", "id": "0", "login_server": "sealock.azurecr.localhost:5000",
            "sku": "Premium", "created": "2026-01-01T00:00:00Z",
            "admin_enabled": true, "anonymous_pull_enabled": false,
            "encryption": {
                "status": "enabled", "key_identifier": "https://kv/keys/k",
                "versioned_key_identifier": "https://kv/keys/k/v",
                "identity": {"name": null, "client_id": "c"},
                "key_rotation_enabled": true, "last_key_rotation": null
            },
            "gate": {
                "state": "revoked", "cause": "KeyDisabled", "message": "Access to the key is denied",
                "key": "https://kv/keys/k", "since": "2026-01-02T00:00:00Z",
                "restore": "sealock key enable"
            }
        }))
        .unwrap();
        let client = Client::new(
            &"http://localhost:5000".parse().unwrap(),
            ValueSource::DefaultValue,
        );
        let text = anstream::adapter::strip_str(&registry.render(&client)).to_string();
        assert_eq!(
            text,
            "\
sealock  revoked: KeyDisabled since 2026-01-02T00:00:00Z
  message       Access to the key is denied
  restore       sealock key enable
  key           https://kv/keys/k
  key version   https://kv/keys/k/v
  identity      client c (the identity is gone)
  rotation      follows the key, last: never
  login server  sealock.azurecr.localhost:5000
  login         the admin user and tokens may log in
  sku           Premium
  id            0
  created       2026-01-01T00:00:00Z"
        );
    }
}
