mod audit;
mod server;

use std::{collections::BTreeSet, path::Path};

use fs_err as fs;
use jiff::SignedDuration;
use sealock_cmk::Sku;
use sealock_core::{ChosenKey, IdentityName, KeyName, Location, RegistryName, VaultName};
use sealock_resource_manager::{IdentityTypeCase, ProvisioningDelay};
use sealock_store::metadata::EngineKind;
use sealock_vault::{
    Curve, KeyPermission, KeySpec, KeyType, TrustedServices, VaultSettings, VaultSku,
};
use serde::{Deserialize, Deserializer, de::Error as _};
use toml::{Table, Value};

use self::audit::Audit;
pub(crate) use self::server::Server;
pub use self::server::{Auth, listen_address};
use crate::Tls;

/// The default configuration.
const QUICKSTART: &str = include_str!("../../../emulator-config/quickstart.toml");

/// The prefix of every configuration variable.
const ENV_PREFIX: &str = "SEALOCK_";

/// The separator of section and key in the name of a variable.
const ENV_SEPARATOR: &str = "__";

/// The configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The listener and the data directory.
    pub server: Server,
    /// The log.
    pub log: Log,
    /// The storage of all state.
    pub store: StoreSection,
    /// The vaults' audit log.
    pub audit: Audit,
    /// Customer-managed keys.
    pub cmk: sealock_cmk::Settings,
    /// The registry of the friendly door.
    pub registry: Registry,
    /// The vault of the friendly door.
    pub vault: Vault,
    /// TLS.
    pub tls: Tls,
    /// Azure's deviations from the standards.
    pub fidelity: Fidelity,
    /// Vaults to create at the first start.
    pub vaults: Vec<SeedVault>,
    /// Managed identities to create at the first start.
    pub identities: Vec<SeedIdentity>,
    /// Registries to create at the first start.
    pub registries: Vec<SeedRegistry>,
    /// The name of its file.
    #[serde(skip)]
    pub origin: String,
}

/// `[log]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The format of its lines.
    pub format: LogFormat,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// `[store]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// The engine of the metadata.
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
    /// The registry at the friendly door.
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
    /// The vault at the friendly door.
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
#[expect(clippy::struct_excessive_bools, reason = "they are independent")]
pub struct Fidelity {
    /// True to offer the referrers API on registries with a customer-managed key, too.
    pub referrers_on_cmk: bool,
    /// True to accept manifests that refer to missing content.
    pub sparse_manifests: bool,
    /// The duration of the deletion or recovery of a key.
    pub keyvault_delete_delay: SignedDuration,
    /// True to throttle requests to vaults as Azure does.
    pub keyvault_throttling: bool,
    /// The duration of the asynchronous operations of Resource Manager.
    pub provisioning_delay: ProvisioningDelay,
    /// The case of the identity types of registries.
    pub identity_type_case: IdentityTypeCase,
    /// True if the vault of a registry's key needs purge protection.
    pub require_purge_protection: bool,
    /// The identities with which a registry passes a vault's firewall.
    pub trusted_services: TrustedServices,
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
            trusted_services: self.trusted_services,
        }
    }
}

/// `[[vaults]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedVault {
    /// Its name.
    pub name: VaultName,
    /// Its region.
    #[serde(default = "sealock_entra::default_location")]
    pub location: Location,
    /// Its SKU.
    #[serde(default)]
    pub sku: VaultSku,
    /// True to use roles instead of access policies.
    #[serde(default)]
    pub rbac: bool,
    /// True to forbid purges before the retention ends.
    #[serde(default)]
    pub purge_protection: bool,
    /// The number of days for which a deleted vault or key can be recovered.
    #[serde(default = "default_retention_days")]
    pub soft_delete_retention_days: u32,
    /// Its keys.
    #[serde(default)]
    pub keys: Vec<SeedKey>,
    /// Its access policies.
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
    /// The managed identity.
    pub identity: IdentityName,
    /// Its permissions.
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
    /// Its SKU.
    pub sku: Sku,
    /// Its customer-managed key.
    pub key: Option<ChosenKey>,
    /// The identity that uses the key.
    pub identity: Option<IdentityName>,
}

/// An error in the configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The text is invalid.
    #[error("{origin}: {message}")]
    Invalid {
        /// The file or the variable.
        origin: String,
        /// The parser's message.
        message: String,
    },
    /// The values are valid, but not supported.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl Config {
    /// Loads the configuration from `file`, or from the built-in quickstart. The variables `SEALOCK_SECTION__KEY` in
    /// `environment` override it.
    ///
    /// # Errors
    /// The file cannot be read, or a value is invalid. The error names the file and line, or the variable.
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
        // The variables come later, because only an error in the unchanged file has a line number.
        let config = Self::parse(&text, &origin)?;
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

    /// Parses a configuration. `origin` is its name in errors.
    pub(crate) fn parse(text: &str, origin: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError::Invalid {
            origin: origin.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        Ok(Self {
            origin: origin.to_owned(),
            ..config
        })
    }

    /// Returns the settings of the registries' keys.
    pub(crate) fn custodian(&self) -> sealock_cmk::Settings {
        sealock_cmk::Settings {
            requires_purge_protection: self.fidelity.require_purge_protection,
            ..self.cmk.clone()
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.server.listen.is_empty() {
            return Err(ConfigError::Unsupported(
                "server.listen is empty; name an address, such as 127.0.0.1:5000",
            ));
        }
        Ok(())
    }
}

/// An environment variable that sets a key of the configuration.
struct Variable {
    name: String,
    section: String,
    key: String,
    value: String,
}

/// Parses the name of a variable. `None` if it does not name a section and a key.
fn variable((name, value): (String, String)) -> Option<Variable> {
    let (section, key) = name.strip_prefix(ENV_PREFIX)?.split_once(ENV_SEPARATOR)?;
    Some(Variable {
        section: section.to_ascii_lowercase(),
        key: key.to_ascii_lowercase(),
        name,
        value,
    })
}

/// Overrides the values of the file with the variables, one by one, so that an error names its variable.
fn overlay(text: &str, variables: &[Variable]) -> Result<Config, ConfigError> {
    let invalid = |origin: &str, message: String| ConfigError::Invalid {
        origin: origin.to_owned(),
        message,
    };
    let mut table: Table =
        toml::from_str(text).map_err(|error| invalid("configuration", error.to_string()))?;
    let mut config = Config::default();
    for variable in variables {
        let typed = variable.override_in(&table, parse_value(&variable.value));
        // A text may look like a number, such as the registry name 12345.
        let as_text = || variable.override_in(&table, Value::String(variable.value.clone()));
        (table, config) = typed
            .or_else(|message| as_text().map_err(|_| message))
            .map_err(|message| invalid(&variable.name, message))?;
    }
    Ok(config)
}

impl Variable {
    /// Returns the table with this variable's value, and the resulting configuration.
    fn override_in(&self, table: &Table, value: Value) -> Result<(Table, Config), String> {
        let mut table = table.clone();
        let section = table
            .entry(self.section.clone())
            .or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(section) = section else {
            return Err("a variable cannot set this section; set it in a file".to_owned());
        };
        section.insert(self.key.clone(), value);
        let config = table.clone().try_into();
        config
            .map(|config| (table, config))
            .map_err(|error: toml::de::Error| error.message().to_owned())
    }
}

/// Parses a TOML value. A text that is not TOML is a string, so that users of a shell need no second pair of quotes.
fn parse_value(text: &str) -> Value {
    let line: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    line.ok()
        .and_then(|mut line| line.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

impl SeedVault {
    pub(crate) fn settings(&self) -> VaultSettings {
        VaultSettings {
            location: self.location.clone(),
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
