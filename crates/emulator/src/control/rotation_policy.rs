use sealock_api as api;
use sealock_vault::{Requester, http::RotationPolicyBody};
use serde::{Serialize, de::DeserializeOwned};

use super::{Answer, ControlError, call::Call};

pub(super) async fn show(call: Call<api::ShowRotationPolicy>) -> Answer<api::RotationPolicy> {
    let (services, path) = (call.services, call.path);
    let operator = Requester::operator();
    let policy = services
        .vault
        .rotation_policy(&operator, &path.vault, &path.key);
    same_json(RotationPolicyBody::of(&services.names, &policy.await?))
}

pub(super) async fn set(call: Call<api::SetRotationPolicy>) -> Answer<api::RotationPolicy> {
    let (services, path) = (call.services, call.path);
    let asked: RotationPolicyBody = same_json(call.body)?;
    let operator = Requester::operator();
    let set = services
        .vault
        .set_rotation_policy(&operator, &path.vault, &path.key, asked.policy());
    same_json(RotationPolicyBody::of(&services.names, &set.await?))
}

/// Turns a policy into another type with the same JSON: the control API takes and shows a policy as Key Vault does.
fn same_json<T: DeserializeOwned>(policy: impl Serialize) -> Answer<T> {
    let json = serde_json::to_value(policy).and_then(serde_json::from_value);
    json.map_err(|error| ControlError::bad_request(error.to_string()))
}
