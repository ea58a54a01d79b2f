use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use fs_err as fs;
use jiff::SignedDuration;
use sealock_cmk::Sku;
use sealock_core::{IdentityName, KeyIdentifier, KeyName, RegistryName, VaultName};
use sealock_store::metadata::EngineKind;
use sealock_vault::{Curve, KeyPermission, KeySpec, KeyType, VaultSettings, VaultSku};
use serde::{Deserialize, Deserializer, de::Error as _};
use toml::{Table, Value};

use crate::Tls;

/// The configuration that is used when none is given.
const QUICKSTART: &str = include_str!("../../../emulator-config/quickstart.toml");

/// What every configuration variable begins with.
const ENV_PREFIX: &str = "SEALOCK_";

/// Separates section and key in a variable's name.
const ENV_SEPARATOR: &str = "__";

/// Everything that can be configured.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The listener and the data directory.
    pub server: Server,
    /// The log.
    pub log: Log,
    /// The storage of all state.
    pub store: StoreSection,
    /// Customer-managed keys.
    pub cmk: sealock_cmk::Settings,
    /// The registry of the friendly door.
    pub registry: Registry,
    /// The vault of the friendly door.
    pub vault: Vault,
    /// TLS.
    pub tls: Tls,
    /// Where Azure differs from what is standard.
    pub fidelity: Fidelity,
    /// Vaults to create at the first start.
    pub vaults: Vec<SeedVault>,
    /// Managed identities to create at the first start.
    pub identities: Vec<SeedIdentity>,
    /// Registries to create at the first start.
    pub registries: Vec<SeedRegistry>,
    /// The name of the file that it was read from.
    #[serde(skip)]
    pub origin: String,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where to listen: one address, or several.
    #[serde(deserialize_with = "addresses")]
    pub listen: Vec<SocketAddr>,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Keep everything in memory instead.
    pub ephemeral: bool,
    /// The name, and perhaps port, under which clients reach the emulator.
    pub public_name: Option<String>,
    /// Further names of the friendly door.
    pub aliases: BTreeSet<String>,
    /// Whom the registry of the friendly door asks for a login.
    pub auth: Auth,
    /// Listen where others can reach the friendly door, although it asks nobody for a login.
    pub open_to_network: bool,
}

/// Whether the friendly door is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Opens the friendly door: a registry's caller without credentials acts as its admin, and the control API asks nobody
    /// on this machine for any.
    #[default]
    Friendly,
    /// The registry asks everybody for credentials, the control API for its token, and the managed identity
    /// endpoint for its header.
    Enforced,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![
                SocketAddr::from(([127, 0, 0, 1], 5000)),
                SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 5000)),
            ],
            data_dir: PathBuf::from(".sealock"),
            ephemeral: false,
            public_name: None,
            aliases: BTreeSet::new(),
            auth: Auth::default(),
            open_to_network: false,
        }
    }
}

impl Server {
    /// Returns true if it listens where others than this machine reach it.
    pub(crate) fn is_reached_by_others(&self) -> bool {
        self.listen
            .iter()
            .any(|address| !address.ip().is_loopback())
    }
}

/// One address or a list of them.
fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected an address such as \"127.0.0.1:5000\", or a list of them"
    )]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    let texts = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    };
    let address = |text: String| {
        listen_address(&text).map_err(|expected| {
            D::Error::custom(format!("'{text}' is not one to listen on: {expected}"))
        })
    };
    texts.into_iter().map(address).collect()
}

/// An address to listen on.
///
/// # Errors
/// If it is none; then, what was expected.
pub fn listen_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "expected an address and a port, such as 127.0.0.1:5000 or [::1]:0")
}

/// `[log]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a person.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[store]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// The engine that holds the metadata.
    #[serde(deserialize_with = "engine")]
    pub engine: EngineKind,
    /// The number of days that a file stays in quarantine before it is removed.
    pub quarantine_days: u32,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            engine: EngineKind::default(),
            quarantine_days: 30,
        }
    }
}

fn engine<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EngineKind, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(D::Error::custom)
}

/// `[registry]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registry {
    /// The registry that plain localhost serves.
    pub default: RegistryName,
}

impl Default for Registry {
    #[expect(clippy::expect_used, reason = "a constant")]
    fn default() -> Self {
        Self {
            default: "sealock".parse().expect("a registry name"),
        }
    }
}

/// `[vault]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vault {
    /// Which vault plain localhost is.
    pub default: VaultName,
}

impl Default for Vault {
    #[expect(clippy::expect_used, reason = "a constant")]
    fn default() -> Self {
        Self {
            default: "sealock".parse().expect("a vault name"),
        }
    }
}

/// `[fidelity]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fidelity {
    /// Offer the referrers API on a registry with a customer-managed key, too.
    pub referrers_on_cmk: bool,
    /// Take manifests that refer to content which was never pushed.
    pub sparse_manifests: bool,
    /// How long the deletion or recovery of a key takes.
    pub keyvault_delete_delay: SignedDuration,
    /// Refuse what is more than a vault of Azure's serves within ten seconds.
    pub keyvault_throttling: bool,
}

impl Fidelity {
    pub(crate) fn registry(self) -> sealock_registry::Settings {
        sealock_registry::Settings {
            referrers_on_cmk: self.referrers_on_cmk,
            sparse_manifests: self.sparse_manifests,
        }
    }

    pub(crate) fn key_vault(self) -> sealock_vault::Settings {
        sealock_vault::Settings {
            delete_delay: self.keyvault_delete_delay,
            throttling: self.keyvault_throttling,
        }
    }
}

/// `[[vaults]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedVault {
    /// Its name.
    pub name: VaultName,
    /// Which keys it can have.
    #[serde(default)]
    pub sku: VaultSku,
    /// Whether roles decide who may do what, instead of access policies.
    #[serde(default)]
    pub rbac: bool,
    /// Whether what is deleted can be purged before its time.
    #[serde(default)]
    pub purge_protection: bool,
    /// How long what is deleted can be recovered.
    #[serde(default = "default_retention_days")]
    pub soft_delete_retention_days: u32,
    /// Its keys.
    #[serde(default)]
    pub keys: Vec<SeedKey>,
    /// Who may do what with them.
    #[serde(default)]
    pub access: Vec<SeedAccess>,
}

fn default_retention_days() -> u32 {
    VaultSettings::default().soft_delete_retention_days
}

/// `[[vaults.keys]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedKey {
    /// Its name.
    pub name: KeyName,
    /// Its type.
    #[serde(default = "default_kty")]
    pub kty: KeyType,
    /// Its size in bits.
    pub key_size: Option<u32>,
    /// Its curve.
    #[serde(rename = "crv")]
    pub curve: Option<Curve>,
}

fn default_kty() -> KeyType {
    KeySpec::default().kty
}

/// `[[vaults.access]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedAccess {
    /// Who.
    pub identity: IdentityName,
    /// What.
    pub permissions: BTreeSet<KeyPermission>,
}

/// `[[identities]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedIdentity {
    /// Its name.
    pub name: IdentityName,
}

/// `[[registries]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedRegistry {
    /// Its name.
    pub name: RegistryName,
    /// Its tier.
    pub sku: Sku,
    /// Its customer-managed key.
    pub key: Option<KeyIdentifier>,
    /// The identity that may use the key.
    pub identity: Option<IdentityName>,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A mistake, with the line and what was expected.
    #[error("{origin}: {message}")]
    Invalid {
        /// The file, or the variables.
        origin: String,
        /// What the parser says.
        message: String,
    },
    /// Something that is valid and cannot be had.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl Config {
    /// Reads the configuration from `file`, or from the built-in quickstart, with what the variables
    /// `SEALOCK_SECTION__KEY` among `environment` change.
    ///
    /// # Errors
    /// With file, line and what was expected there, or with the variable's name.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let (text, origin) = match file {
            Some(file) => (fs::read_to_string(file)?, file.display().to_string()),
            None => (
                QUICKSTART.to_owned(),
                "the built-in quickstart.toml".to_owned(),
            ),
        };
        // By itself first: only this way does a mistake have a line.
        let config: Self = toml::from_str(&text).map_err(|error| ConfigError::Invalid {
            origin: origin.clone(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        let variables: Vec<_> = environment.into_iter().filter_map(variable).collect();
        let mut config = if variables.is_empty() {
            config
        } else {
            overlay(&text, &variables)?
        };
        config.check()?;
        config.origin = origin;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.server.listen.is_empty() {
            return Err(ConfigError::Unsupported(
                "server.listen names no address to listen on",
            ));
        }
        Ok(())
    }
}

/// A configuration variable: its name, section, key and value.
struct Variable {
    name: String,
    section: String,
    key: String,
    value: String,
}

fn variable((name, value): (String, String)) -> Option<Variable> {
    let (section, key) = name.strip_prefix(ENV_PREFIX)?.split_once(ENV_SEPARATOR)?;
    Some(Variable {
        section: section.to_ascii_lowercase(),
        key: key.to_ascii_lowercase(),
        name,
        value,
    })
}

/// Puts the variables into the file's values, one by one, so that a mistake is known to be whose.
fn overlay(text: &str, variables: &[Variable]) -> Result<Config, ConfigError> {
    let invalid = |origin: &str, message: String| ConfigError::Invalid {
        origin: origin.to_owned(),
        message,
    };
    let mut table: Table =
        toml::from_str(text).map_err(|error| invalid("configuration", error.to_string()))?;
    let mut config = Config::default();
    for variable in variables {
        let typed = variable.put_into(&table, value_of(&variable.value));
        // A registry may be called 12345, too.
        let as_text = || variable.put_into(&table, Value::String(variable.value.clone()));
        (table, config) = typed
            .or_else(|message| as_text().map_err(|_| message))
            .map_err(|message| invalid(&variable.name, message))?;
    }
    Ok(config)
}

impl Variable {
    /// The table with this variable's value, and the configuration that it is then.
    fn put_into(&self, table: &Table, value: Value) -> Result<(Table, Config), String> {
        let mut table = table.clone();
        let section = table
            .entry(self.section.clone())
            .or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(section) = section else {
            return Err("this section cannot be set by a variable".to_owned());
        };
        section.insert(self.key.clone(), value);
        let config = table.clone().try_into();
        config
            .map(|config| (table, config))
            .map_err(|error: toml::de::Error| error.message().to_owned())
    }
}

/// A value as TOML would read it, or else as a string: nobody quotes twice in a shell.
fn value_of(text: &str) -> Value {
    let line: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    line.ok()
        .and_then(|mut line| line.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

impl SeedVault {
    pub(crate) fn settings(&self) -> VaultSettings {
        VaultSettings {
            sku: self.sku,
            rbac: self.rbac,
            purge_protection: self.purge_protection,
            soft_delete_retention_days: self.soft_delete_retention_days,
        }
    }
}

impl SeedKey {
    pub(crate) fn spec(&self) -> KeySpec {
        KeySpec {
            kty: self.kty,
            key_size: self.key_size,
            curve: self.curve,
        }
    }
}
