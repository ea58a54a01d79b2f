use sealock_core::excerpt;
use serde::{Deserialize, Serialize, Serializer, ser::Error as _};

use crate::{Error, ReleasePolicy, ReleaseRules, Result, crypto::base64url};

/// Azure's default content type, which policies are shown with.
const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// A `KeyReleasePolicy` from a client.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/create-key/create-key#keyreleasepolicy>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReleasePolicyChangeBody {
    content_type: Option<String>,
    data: String,
    immutable: Option<bool>,
}

/// A `KeyReleasePolicy` in an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReleasePolicyBody {
    content_type: &'static str,
    #[serde(serialize_with = "serialize_in_base64url")]
    data: ReleaseRules,
    immutable: bool,
}

impl ReleasePolicyChangeBody {
    pub(super) fn policy(&self) -> Result<ReleasePolicy> {
        release_policies_are_json(self.content_type.as_deref())?;
        let json = base64url::decode("release_policy.data", &self.data)?;
        Ok(ReleasePolicy {
            rules: ReleaseRules::from_json(&json)?,
            immutable: self.immutable.unwrap_or(false),
        })
    }
}

impl From<&ReleasePolicy> for ReleasePolicyBody {
    fn from(policy: &ReleasePolicy) -> Self {
        Self {
            content_type: CONTENT_TYPE,
            data: policy.rules.clone(),
            immutable: policy.immutable,
        }
    }
}

fn serialize_in_base64url<S: Serializer>(
    rules: &ReleaseRules,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    let json = serde_json::to_vec(rules).map_err(S::Error::custom)?;
    serializer.serialize_str(&base64url::encode(&json))
}

/// Checks the content type of a policy.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/create-key/create-key#keyreleasepolicy>
fn release_policies_are_json(content_type: Option<&str>) -> Result<()> {
    let Some(given) = content_type else {
        return Ok(());
    };
    let media_type = given.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::BadParameter(format!(
        "The contentType '{}' of the release policy is not supported; leave it out, or use '{CONTENT_TYPE}'.",
        excerpt(given)
    )))
}
