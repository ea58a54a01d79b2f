use axum::{Json, extract::State};
use sealock_registry::{AdminCredentials, LoginSettings, PasswordName};
use serde::{Deserialize, Serialize};

use super::{
    Answer, ControlError,
    extract::{Body, Path},
    registries::named,
};
use crate::services::Services;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    admin_enabled: Option<bool>,
    anonymous_pull_enabled: Option<bool>,
}

pub(super) async fn update(
    State(services): State<Services>,
    Path(registry): Path<String>,
    Body(asked): Body<Change>,
) -> Answer<LoginSettings> {
    let updated = named(&services, &registry).await?;
    let updated = updated.update_login(asked.admin_enabled, asked.anonymous_pull_enabled);
    Ok(Json(updated.await?))
}

/// The admin user's passwords, under the names that Azure's answers have.
#[derive(Serialize)]
pub(super) struct CredentialsView {
    username: String,
    passwords: [PasswordView; 2],
}

#[derive(Serialize)]
struct PasswordView {
    name: &'static str,
    value: String,
}

impl From<AdminCredentials> for CredentialsView {
    fn from(credentials: AdminCredentials) -> Self {
        let [first, second] = &credentials.passwords;
        let view = |name, value: &String| PasswordView {
            name,
            value: value.clone(),
        };
        Self {
            username: credentials.user,
            passwords: [view("password", first), view("password2", second)],
        }
    }
}

pub(super) async fn credentials(
    State(services): State<Services>,
    Path(registry): Path<String>,
) -> Answer<CredentialsView> {
    let registry = named(&services, &registry).await?;
    Ok(Json(registry.admin_credentials().await?.into()))
}

pub(super) async fn regenerate(
    State(services): State<Services>,
    Path((registry, password)): Path<(String, PasswordName)>,
) -> Result<Json<CredentialsView>, ControlError> {
    let registry = named(&services, &registry).await?;
    let credentials = registry.regenerate_admin_password(password).await?;
    Ok(Json(credentials.into()))
}
