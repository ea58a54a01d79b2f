//! Keys in Azure's JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sealock_core::{Kid, PublicName};
use sealock_http::json::Object;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::release_policy::{ReleasePolicyBody, ReleasePolicyChangeBody};
use crate::{Error, Key, KeyBundle, KeyChange, KeyItem, KeyOperation, KeyType, PublicKey, Result};

/// `KeyBundle`, and `DeletedKeyBundle`.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/get-key/get-key#keybundle>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BundleBody {
    #[serde(flatten)]
    deletion: Option<DeletionBody>,
    key: JwkBody,
    attributes: AttributesBody,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(rename = "release_policy", skip_serializing_if = "Option::is_none")]
    release_policy: Option<ReleasePolicyBody>,
}

/// `KeyItem`, and `DeletedKeyItem`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ItemBody {
    #[serde(flatten)]
    deletion: Option<DeletionBody>,
    kid: String,
    attributes: AttributesBody,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeletionBody {
    recovery_id: String,
    deleted_date: i64,
    scheduled_purge_date: i64,
}

#[derive(Serialize)]
struct JwkBody {
    kid: String,
    kty: KeyType,
    key_ops: Vec<KeyOperation>,
    #[serde(flatten)]
    public_key: Option<PublicKey>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttributesBody {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    created: i64,
    updated: i64,
    recovery_level: &'static str,
    recoverable_days: u16,
    exportable: bool,
    hsm_platform: &'static str,
}

/// The attributes that a client sends. Some clients also send back those that only the vault sets; they are ignored.
#[derive(Default, Deserialize)]
pub(super) struct AttributesChangeBody {
    enabled: Option<bool>,
    nbf: Option<i64>,
    exp: Option<i64>,
    exportable: Option<bool>,
    external_key: Option<IgnoredAny>,
}

impl AttributesChangeBody {
    /// Refuses a key in an HSM outside Azure, which the API has since 2026.
    ///
    /// <https://github.com/Azure/azure-sdk-for-go/tree/main/sdk/security/keyvault/azkeys>
    pub(super) fn refuse_external_key(&self) -> Result<()> {
        match self.external_key {
            None => Ok(()),
            Some(_) => Err(Error::NotSupported("external keys")),
        }
    }
}

impl BundleBody {
    pub(super) fn of(names: &PublicName, bundle: &KeyBundle) -> Self {
        Self {
            deletion: None,
            key: JwkBody {
                kid: names.key_uri(&bundle.kid.identifier()),
                kty: bundle.kty,
                key_ops: bundle.key_ops.clone(),
                public_key: match &bundle.public_key {
                    PublicKey::Oct => None,
                    public_key => Some(public_key.clone()),
                },
            },
            attributes: AttributesBody::of(bundle),
            tags: bundle.tags.clone(),
            release_policy: bundle.release_policy.as_ref().map(Into::into),
        }
    }

    pub(super) fn deleted(names: &PublicName, key: &Key) -> Self {
        Self {
            deletion: DeletionBody::of(names, &key.current.kid, key.deleted, key.scheduled_purge),
            ..Self::of(names, &key.current)
        }
    }
}

impl ItemBody {
    /// A key in a list, where its identifier has no version.
    pub(super) fn of(names: &PublicName, key: &KeyItem) -> Self {
        let identifier = key.current.kid.identifier().unversioned();
        Self {
            deletion: DeletionBody::of(names, &key.current.kid, key.deleted, key.scheduled_purge),
            kid: names.key_uri(&identifier),
            ..Self::version(names, &key.current)
        }
    }

    pub(super) fn version(names: &PublicName, bundle: &KeyBundle) -> Self {
        Self {
            deletion: None,
            kid: names.key_uri(&bundle.kid.identifier()),
            attributes: AttributesBody::of(bundle),
            tags: bundle.tags.clone(),
        }
    }
}

impl DeletionBody {
    fn of(
        names: &PublicName,
        kid: &Kid,
        deleted: Option<Timestamp>,
        scheduled_purge: Option<Timestamp>,
    ) -> Option<Self> {
        Some(Self {
            recovery_id: names.deleted_key_uri(&kid.vault, &kid.key),
            deleted_date: deleted?.as_second(),
            scheduled_purge_date: scheduled_purge?.as_second(),
        })
    }
}

impl AttributesBody {
    fn of(bundle: &KeyBundle) -> Self {
        let attributes = bundle.attributes;
        Self {
            enabled: attributes.enabled,
            nbf: attributes.not_before.map(Timestamp::as_second),
            exp: attributes.expires.map(Timestamp::as_second),
            created: attributes.created.as_second(),
            updated: attributes.updated.as_second(),
            recovery_level: attributes.recovery.level(),
            recoverable_days: attributes.recovery.days,
            exportable: bundle.release_policy.is_some(),
            hsm_platform: if bundle.kty.is_hardware() { "2" } else { "0" },
        }
    }
}

/// Converts the members that requests for a key share. An empty list of operations counts as absent, because the SDK for
/// Java sends it by default.
pub(super) fn key_change(
    key_ops: Option<Vec<KeyOperation>>,
    attributes: Option<Object<AttributesChangeBody>>,
    tags: Option<BTreeMap<String, String>>,
    release_policy: Option<&Object<ReleasePolicyChangeBody>>,
) -> Result<KeyChange> {
    let Object(attributes) = attributes.unwrap_or_default();
    Ok(KeyChange {
        key_ops: key_ops.filter(|operations| !operations.is_empty()),
        enabled: attributes.enabled,
        not_before: attributes
            .nbf
            .map(|nbf| timestamp("nbf", nbf))
            .transpose()?,
        expires: attributes
            .exp
            .map(|exp| timestamp("exp", exp))
            .transpose()?,
        exportable: attributes.exportable,
        release_policy: release_policy
            .map(|Object(policy)| policy.policy())
            .transpose()?,
        tags,
    })
}

fn timestamp(field: &str, second: i64) -> Result<Timestamp> {
    Timestamp::from_second(second).map_err(|_| {
        Error::BadParameter(format!(
            "'{field}' is {second}, which is out of range; expected seconds since 1970, up to {}.",
            Timestamp::MAX.as_second()
        ))
    })
}
