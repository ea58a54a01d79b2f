use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use sealock_core::{KeyName, KeyVersion, VaultName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{State, Time, word::words};

/// The keys of a vault.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Keys {
    /// Every key, deleted ones included.
    pub keys: Vec<Key>,
}

/// A key. Type, size and `enabled` are those of its current version.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// The vault that holds it.
    pub vault: VaultName,
    /// Its name.
    pub name: KeyName,
    /// The URL of its current version.
    pub kid: String,
    /// Its place in its life.
    pub state: State,
    /// Its type.
    pub kty: KeyType,
    /// Its size in bits.
    pub key_size: u32,
    /// Its curve, if it is an EC key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<Curve>,
    /// True if its current version can be used.
    pub enabled: bool,
    /// The time at which its first version was created.
    pub created: Time,
    /// The time of its deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Time>,
    /// The time of its purge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_purge: Option<Time>,
    /// Its versions, the newest first.
    pub versions: Vec<Version>,
}

/// A version of a key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// Its id.
    pub version: KeyVersion,
    /// Its URL.
    pub kid: String,
    /// True if it can be used.
    pub enabled: bool,
    /// True if it is the key's current version.
    pub current: bool,
    /// The operations that it is for.
    pub key_ops: Vec<KeyOperation>,
    /// The time from which on it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// The time until which it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The time of its creation.
    pub created: Time,
    /// The time of its last change.
    pub updated: Time,
}

/// A key version to be created.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewKey {
    /// Its type: RSA unless said.
    pub kty: Option<KeyType>,
    /// Its size in bits.
    pub key_size: Option<u32>,
    /// Its curve, if it is an EC key.
    pub crv: Option<Curve>,
    /// The operations that it is for: all that its type can do unless said.
    pub key_ops: Option<Vec<KeyOperation>>,
}

/// A change of a key version. It names at least one field, and what it does not name stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyChange {
    /// True if it can be used.
    pub enabled: Option<bool>,
    /// The operations that it is for.
    pub key_ops: Option<Vec<KeyOperation>>,
    /// The time from which on it can be used.
    pub not_before: Option<Time>,
    /// The time until which it can be used.
    pub expires: Option<Time>,
}

/// A key with all its versions, sealed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBackup {
    /// The backup in base64url.
    pub value: String,
}

/// A key's rotation policy as Key Vault takes and shows it, which judges it: the control API passes it on. Its members
/// are those of [`RotationPolicyMembers`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RotationPolicy(pub Map<String, Value>);

impl RotationPolicy {
    /// Reads the members.
    ///
    /// # Errors
    /// If they are not those of a rotation policy.
    pub fn members(&self) -> serde_json::Result<RotationPolicyMembers> {
        RotationPolicyMembers::deserialize(&self.0)
    }
}

impl JsonSchema for RotationPolicy {
    fn schema_name() -> Cow<'static, str> {
        "RotationPolicy".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        RotationPolicyMembers::json_schema(generator)
    }
}

/// A key's rotation policy, in Azure's JSON.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/get-key-rotation-policy/get-key-rotation-policy#keyrotationpolicy>
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationPolicyMembers {
    /// Its URL. Ignored in a request.
    pub id: Option<String>,
    /// The actions that time causes.
    pub lifetime_actions: Option<Vec<LifetimeAction>>,
    /// Its times.
    pub attributes: Option<RotationPolicyAttributes>,
}

/// An action that time causes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LifetimeAction {
    /// The time of the action.
    pub trigger: Trigger,
    /// The action.
    pub action: Action,
}

/// The time of an action: one of both.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trigger {
    /// The time since the creation of the version, as in ISO 8601.
    pub time_after_create: Option<String>,
    /// The time until the version expires, as in ISO 8601.
    pub time_before_expiry: Option<String>,
}

/// An action.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// `Rotate` or `Notify`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The times of a rotation policy.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationPolicyAttributes {
    /// The life of a new version, as in ISO 8601.
    pub expiry_time: Option<String>,
    /// The time of its creation, in seconds since 1970. Ignored in a request.
    pub created: Option<i64>,
    /// The time of its last change, in seconds since 1970. Ignored in a request.
    pub updated: Option<i64>,
}

words! {
    /// A type of key.
    pub enum KeyType, "key type" {
        /// RSA.
        Rsa = "RSA",
        /// RSA in hardware.
        RsaHsm = "RSA-HSM",
        /// Elliptic curve.
        Ec = "EC",
        /// Elliptic curve in hardware.
        EcHsm = "EC-HSM",
        /// Symmetric, which no vault has.
        Oct = "oct",
        /// Symmetric in hardware.
        OctHsm = "oct-HSM",
    }
}

words! {
    /// An elliptic curve.
    pub enum Curve, "curve" {
        /// NIST P-256.
        P256 = "P-256",
        /// secp256k1.
        P256K = "P-256K",
        /// NIST P-384.
        P384 = "P-384",
        /// NIST P-521.
        P521 = "P-521",
    }
}

words! {
    /// An operation that a key can be for.
    pub enum KeyOperation, "key operation" {
        /// Encrypt.
        Encrypt = "encrypt",
        /// Decrypt.
        Decrypt = "decrypt",
        /// Sign.
        Sign = "sign",
        /// Verify a signature.
        Verify = "verify",
        /// Wrap a key.
        WrapKey = "wrapKey",
        /// Unwrap a key.
        UnwrapKey = "unwrapKey",
        /// Be imported.
        Import = "import",
        /// Be released.
        Export = "export",
    }
}
