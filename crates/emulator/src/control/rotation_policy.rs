//! A key's rotation policy, in Azure's own JSON.
//!
//! <https://learn.microsoft.com/rest/api/keyvault/keys/update-key-rotation-policy/update-key-rotation-policy>

use axum::{Json, extract::State};
use jiff::Timestamp;
use sealock_core::{KeyIdentifier, KeyName, VaultName};
use sealock_vault::{
    Action, LifetimeAction, Period, Requester, RotationPolicy, RotationPolicyView, Trigger,
};
use serde::{Deserialize, Serialize};

use super::{
    Answer, ControlError,
    extract::{Body, Path},
    vault_and_key,
};
use crate::services::Services;

/// What is asked for and what is shown. `id`, `created` and `updated` are shown only.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicyJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default)]
    lifetime_actions: Vec<LifetimeActionJson>,
    #[serde(default)]
    attributes: AttributesJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LifetimeActionJson {
    trigger: TriggerJson,
    action: ActionJson,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum TriggerJson {
    TimeAfterCreate(Period),
    TimeBeforeExpiry(Period),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionJson {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct AttributesJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_time: Option<Period>,
    /// In seconds since 1970, as all of Azure's times in JSON of keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<i64>,
}

pub(super) async fn show(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<PolicyJson> {
    let (vault, key) = vault_and_key(path)?;
    let operator = Requester::operator();
    let policy = services.vault.rotation_policy(&operator, &vault, &key);
    let policy = policy.await?;
    Ok(Json(PolicyJson::new(&services, vault, key, policy)))
}

pub(super) async fn set(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
    Body(asked): Body<PolicyJson>,
) -> Answer<PolicyJson> {
    let (vault, key) = vault_and_key(path)?;
    let operator = Requester::operator();
    let policy = asked.policy()?;
    let set = services
        .vault
        .set_rotation_policy(&operator, &vault, &key, Ok(policy));
    let policy = set.await?;
    Ok(Json(PolicyJson::new(&services, vault, key, policy)))
}

impl PolicyJson {
    fn new(
        services: &Services,
        vault: VaultName,
        key: KeyName,
        RotationPolicyView {
            policy,
            created,
            updated,
        }: RotationPolicyView,
    ) -> Self {
        let key = KeyIdentifier {
            vault,
            key,
            version: None,
        };
        Self {
            id: Some(format!("{}/rotationpolicy", services.names.key_uri(&key))),
            lifetime_actions: policy
                .lifetime_actions
                .into_iter()
                .map(Into::into)
                .collect(),
            attributes: AttributesJson {
                expiry_time: policy.expiry_time,
                created: created.map(Timestamp::as_second),
                updated: updated.map(Timestamp::as_second),
            },
        }
    }

    fn policy(self) -> Result<RotationPolicy, ControlError> {
        let actions = self.lifetime_actions.into_iter();
        Ok(RotationPolicy {
            lifetime_actions: actions.map(TryInto::try_into).collect::<Result<_, _>>()?,
            expiry_time: self.attributes.expiry_time,
        })
    }
}

impl From<LifetimeAction> for LifetimeActionJson {
    fn from(LifetimeAction { trigger, action }: LifetimeAction) -> Self {
        let trigger = match trigger {
            Trigger::AfterCreate(period) => TriggerJson::TimeAfterCreate(period),
            Trigger::BeforeExpiry(period) => TriggerJson::TimeBeforeExpiry(period),
        };
        let kind = action.to_string();
        Self {
            trigger,
            action: ActionJson { kind },
        }
    }
}

impl TryFrom<LifetimeActionJson> for LifetimeAction {
    type Error = ControlError;

    fn try_from(asked: LifetimeActionJson) -> Result<Self, ControlError> {
        let kind = asked.action.kind;
        let known = [Action::Rotate, Action::Notify]
            .into_iter()
            .find(|action| action.to_string().eq_ignore_ascii_case(&kind));
        Ok(Self {
            trigger: match asked.trigger {
                TriggerJson::TimeAfterCreate(period) => Trigger::AfterCreate(period),
                TriggerJson::TimeBeforeExpiry(period) => Trigger::BeforeExpiry(period),
            },
            action: known.ok_or_else(|| {
                let kind: String = kind.chars().take(80).collect();
                ControlError::bad_request(format!(
                    "'{kind}' is not a lifetime action; expected Rotate or Notify"
                ))
            })?,
        })
    }
}
