use sealock_api as api;
use sealock_http::json::parse_object;
use sealock_vault::{Requester, http::RotationPolicyBody};

use super::{Answer, ControlError, call::Call};

pub(super) async fn show(call: Call<api::ShowRotationPolicy>) -> Answer<api::RotationPolicy> {
    let (services, path) = (call.services, call.path);
    let operator = Requester::operator();
    let policy = services
        .vault
        .rotation_policy(&operator, &path.vault, &path.key);
    view(&RotationPolicyBody::of(&services.names, &policy.await?))
}

pub(super) async fn set(call: Call<api::SetRotationPolicy>) -> Answer<api::RotationPolicy> {
    let (services, path) = (call.services, call.path);
    let api::RotationPolicy(members) = call.body;
    let asked = serde_json::to_vec(&members).map_err(|error| error.to_string());
    let asked = asked.and_then(|json| parse_object::<RotationPolicyBody>(&json));
    let asked = asked.map_err(ControlError::bad_request)?;
    let operator = Requester::operator();
    let set = services
        .vault
        .set_rotation_policy(&operator, &path.vault, &path.key, asked.policy());
    view(&RotationPolicyBody::of(&services.names, &set.await?))
}

/// Shows a policy as Key Vault does.
fn view(policy: &RotationPolicyBody) -> Answer<api::RotationPolicy> {
    let json = serde_json::to_value(policy).and_then(serde_json::from_value);
    json.map_err(|error| ControlError::bad_request(error.to_string()))
}
