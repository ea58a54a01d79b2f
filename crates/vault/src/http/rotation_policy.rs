use axum::{Json, response::IntoResponse as _};
use jiff::Timestamp;
use sealock_core::{KeyName, PublicName, excerpt};
use sealock_http::json::Object;
use serde::{Deserialize, Serialize};

use super::{Answer, Call};
use crate::{
    Action, Error, LifetimeAction, Period, Result, RotationPolicy, RotationPolicyView, Trigger,
    operation::{GetRotationPolicy, SetRotationPolicy},
};

/// A rotation policy in Azure's JSON. Unknown members are refused. `id`, `created` and `updated` are read-only; they are
/// ignored in a request.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/get-key-rotation-policy/get-key-rotation-policy#keyrotationpolicy>
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationPolicyBody {
    id: Option<String>,
    lifetime_actions: Option<Vec<Object<LifetimeActionBody>>>,
    attributes: Option<Object<AttributesBody>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LifetimeActionBody {
    trigger: Object<TriggerBody>,
    action: Object<ActionBody>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TriggerBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    time_after_create: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_before_expiry: Option<Period>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionBody {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AttributesBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_time: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<i64>,
}

pub(super) async fn get(call: Call<'_>, key: KeyName) -> Answer {
    let permit = call
        .authorize(GetRotationPolicy, call.key(key, None))
        .await?;
    let policy = permit.run().await?;
    Ok(Json(RotationPolicyBody::of(call.names, &policy)).into_response())
}

pub(super) async fn put(mut call: Call<'_>, key: KeyName) -> Answer {
    let permit = call
        .authorize(SetRotationPolicy, call.key(key, None))
        .await?;
    let (permit, policy) = call.read(permit, RotationPolicyBody::policy).await?;
    let policy = permit.run(policy).await?;
    Ok(Json(RotationPolicyBody::of(call.names, &policy)).into_response())
}

impl RotationPolicyBody {
    /// Converts the policy of a key.
    pub fn of(names: &PublicName, view: &RotationPolicyView) -> Self {
        let policy = &view.policy;
        Self {
            id: Some(format!("{}/rotationpolicy", names.key_uri(&view.key))),
            lifetime_actions: Some(
                policy
                    .lifetime_actions
                    .iter()
                    .map(|action| Object(LifetimeActionBody::of(action)))
                    .collect(),
            ),
            attributes: Some(Object(AttributesBody {
                expiry_time: policy.expiry_time.clone(),
                created: view.created.map(Timestamp::as_second),
                updated: view.updated.map(Timestamp::as_second),
            })),
        }
    }

    /// Parses the policy. The checks against its key follow later.
    ///
    /// # Errors
    /// [`Error::BadParameter`]
    pub fn policy(self) -> Result<RotationPolicy> {
        let actions = self.lifetime_actions.unwrap_or_default().into_iter();
        let Object(attributes) = self.attributes.unwrap_or_default();
        Ok(RotationPolicy {
            lifetime_actions: actions
                .map(|Object(action)| action.action())
                .collect::<Result<_>>()?,
            expiry_time: attributes.expiry_time,
        })
    }
}

impl LifetimeActionBody {
    fn of(action: &LifetimeAction) -> Self {
        let (after, before) = match &action.trigger {
            Trigger::AfterCreate(period) => (Some(period.clone()), None),
            Trigger::BeforeExpiry(period) => (None, Some(period.clone())),
        };
        Self {
            trigger: Object(TriggerBody {
                time_after_create: after,
                time_before_expiry: before,
            }),
            action: Object(ActionBody {
                kind: action.action.to_string(),
            }),
        }
    }

    fn action(self) -> Result<LifetimeAction> {
        let (Object(trigger), Object(action)) = (self.trigger, self.action);
        let trigger = match (trigger.time_after_create, trigger.time_before_expiry) {
            (Some(period), None) => Trigger::AfterCreate(period),
            (None, Some(period)) => Trigger::BeforeExpiry(period),
            _ => {
                return Err(Error::BadParameter(
                    "A lifetime action has one trigger: timeAfterCreate or timeBeforeExpiry."
                        .to_owned(),
                ));
            }
        };
        // Some clients write it in lower case.
        let action = match action.kind.to_ascii_lowercase().as_str() {
            "rotate" => Action::Rotate,
            "notify" => Action::Notify,
            _ => {
                return Err(Error::BadParameter(format!(
                    "'{}' is not an action; expected Rotate or Notify.",
                    excerpt(&action.kind)
                )));
            }
        };
        Ok(LifetimeAction { trigger, action })
    }
}
