use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use sealock_core::{KeyName, KeyVersion, VaultName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{State, Time, word::words};

/// The keys of a vault.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Keys {
    /// The keys, including deleted ones.
    pub keys: Vec<Key>,
}

/// A key. Its type, size and `enabled` are those of its current version.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// Its vault.
    pub vault: VaultName,
    /// Its name.
    pub name: KeyName,
    /// The URL of its current version.
    pub kid: String,
    /// Its state.
    pub state: State,
    /// Its type.
    pub kty: KeyType,
    /// Its size in bits.
    pub key_size: u32,
    /// Its curve, if it is an EC key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<Curve>,
    /// True if its current version is enabled.
    pub enabled: bool,
    /// The time at which its first version was created.
    pub created: Time,
    /// The time of its deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Time>,
    /// The time of its scheduled purge.
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
    /// True if it is enabled.
    pub enabled: bool,
    /// True if it is the key's current version.
    pub current: bool,
    /// Its permitted operations.
    pub key_ops: Vec<KeyOperation>,
    /// The time at which it becomes valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// The time at which it expires.
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

/// The properties of a key version to create.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewKey {
    /// Its type. By default RSA.
    pub kty: Option<KeyType>,
    /// Its size in bits.
    pub key_size: Option<u32>,
    /// Its curve, if it is an EC key.
    pub crv: Option<Curve>,
    /// Its permitted operations. By default all operations of its type.
    pub key_ops: Option<Vec<KeyOperation>>,
}

/// A change of a key version. At least one field is required. Absent fields keep their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyChange {
    /// True to enable it.
    pub enabled: Option<bool>,
    /// Its permitted operations.
    pub key_ops: Option<Vec<KeyOperation>>,
    /// The time at which it becomes valid.
    pub not_before: Option<Time>,
    /// The time at which it expires.
    pub expires: Option<Time>,
}

/// A sealed backup of a key with all its versions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBackup {
    /// The backup in base64url.
    pub value: String,
}

/// A key's rotation policy in Azure's JSON. The control API passes it on to Key Vault, which judges it. Its members are
/// those of [`RotationPolicyMembers`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RotationPolicy(pub Map<String, Value>);

impl RotationPolicy {
    /// Reads the members.
    ///
    /// # Errors
    /// The members are not those of a rotation policy.
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
    /// The timed actions.
    pub lifetime_actions: Option<Vec<LifetimeAction>>,
    /// Its attributes.
    pub attributes: Option<RotationPolicyAttributes>,
}

/// A timed action.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LifetimeAction {
    /// The trigger.
    pub trigger: Trigger,
    /// The action.
    pub action: Action,
}

/// The trigger of a timed action. Exactly one field is required.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trigger {
    /// The duration after the creation of the version, as in ISO 8601.
    pub time_after_create: Option<String>,
    /// The duration before the expiry of the version, as in ISO 8601.
    pub time_before_expiry: Option<String>,
}

/// The kind of a timed action.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// `Rotate` or `Notify`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The attributes of a rotation policy.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationPolicyAttributes {
    /// The lifetime of a new version, as in ISO 8601.
    pub expiry_time: Option<String>,
    /// The time of its creation, in seconds since 1970. Ignored in a request.
    pub created: Option<i64>,
    /// The time of its last change, in seconds since 1970. Ignored in a request.
    pub updated: Option<i64>,
}

words! {
    /// The type of a key.
    pub enum KeyType, "key type" {
        /// RSA.
        Rsa = "RSA",
        /// RSA in an HSM.
        RsaHsm = "RSA-HSM",
        /// Elliptic curve.
        Ec = "EC",
        /// Elliptic curve in an HSM.
        EcHsm = "EC-HSM",
        /// Symmetric. No vault supports it.
        Oct = "oct",
        /// Symmetric in an HSM.
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
    /// An operation with a key.
    pub enum KeyOperation, "key operation" {
        /// Encrypt.
        Encrypt = "encrypt",
        /// Decrypt.
        Decrypt = "decrypt",
        /// Sign.
        Sign = "sign",
        /// Verify signatures.
        Verify = "verify",
        /// Wrap keys.
        WrapKey = "wrapKey",
        /// Unwrap keys.
        UnwrapKey = "unwrapKey",
        /// Import the key.
        Import = "import",
        /// Release the key.
        Export = "export",
    }
}
