use sealock_core::excerpt;
use serde_json::{Value, json};

use super::filter::Condition;
use crate::{Error, Principal, Result, TENANT};

/// The kind of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Application,
    ServicePrincipal,
    User,
}

impl Kind {
    /// Returns the kind of a principal.
    pub(super) fn of(principal: &Principal) -> Self {
        match principal {
            Principal::ManagedIdentity(_) | Principal::Application(_) => Self::ServicePrincipal,
            Principal::User(_) => Self::User,
        }
    }

    pub(super) fn collection(self) -> &'static str {
        match self {
            Self::Application => "applications",
            Self::ServicePrincipal => "servicePrincipals",
            Self::User => "users",
        }
    }

    pub(super) fn odata_type(self) -> &'static str {
        match self {
            Self::Application => "#microsoft.graph.application",
            Self::ServicePrincipal => "#microsoft.graph.servicePrincipal",
            Self::User => "#microsoft.graph.user",
        }
    }
}

/// Returns the object of a kind that belongs to a principal. An application has two: itself, whose object id is its client
/// id here, and its service principal.
///
/// <https://learn.microsoft.com/graph/api/resources/serviceprincipal>,
/// <https://learn.microsoft.com/graph/api/resources/application>,
/// <https://learn.microsoft.com/graph/api/resources/user>
pub(super) fn view(kind: Kind, principal: &Principal) -> Option<Value> {
    match (kind, principal) {
        (Kind::Application, Principal::Application(application)) => Some(json!({
            "id": application.client_id,
            "appId": application.client_id,
            "displayName": application.name,
            "createdDateTime": application.created,
            "deletedDateTime": null,
            "identifierUris": [],
            "publisherDomain": "sealock.localhost",
            "signInAudience": "AzureADMyOrg",
            "tags": [],
            "api": {"requestedAccessTokenVersion": null, "oauth2PermissionScopes": []},
            "appRoles": [],
            "requiredResourceAccess": [],
            "keyCredentials": [],
            "passwordCredentials": [{
                "displayName": null,
                "endDateTime": application.secret_expires,
                "hint": null,
                "keyId": application.client_id,
                "secretText": null,
                "startDateTime": application.created,
            }],
        })),
        (Kind::ServicePrincipal, Principal::Application(application)) => Some(json!({
            "id": application.principal_id,
            "accountEnabled": true,
            "alternativeNames": [],
            "appDisplayName": application.name,
            "appId": application.client_id,
            "appOwnerOrganizationId": TENANT,
            "appRoles": [],
            "createdDateTime": application.created,
            "deletedDateTime": null,
            "displayName": application.name,
            "keyCredentials": [],
            "oauth2PermissionScopes": [],
            "passwordCredentials": [],
            "servicePrincipalNames": [application.client_id],
            "servicePrincipalType": "Application",
            "signInAudience": "AzureADMyOrg",
            "tags": [],
        })),
        (Kind::ServicePrincipal, Principal::ManagedIdentity(identity)) => Some(json!({
            "id": identity.principal_id,
            "accountEnabled": true,
            "alternativeNames": ["isExplicit=True", identity.resource_id()],
            "appDisplayName": null,
            "appId": identity.client_id,
            "appOwnerOrganizationId": null,
            "appRoles": [],
            "createdDateTime": identity.resource.system_data.created_at,
            "deletedDateTime": null,
            "displayName": identity.name,
            "keyCredentials": [],
            "oauth2PermissionScopes": [],
            "passwordCredentials": [],
            "servicePrincipalNames": [identity.client_id],
            "servicePrincipalType": "ManagedIdentity",
            "signInAudience": null,
            "tags": [],
        })),
        (Kind::User, Principal::User(user)) => Some(json!({
            "id": user.principal_id,
            "businessPhones": [],
            "displayName": user.display_name,
            "givenName": null,
            "jobTitle": null,
            "mail": null,
            "mobilePhone": null,
            "officeLocation": null,
            "preferredLanguage": null,
            "surname": null,
            "userPrincipalName": user.name,
        })),
        _ => None,
    }
}

/// Returns true if a condition holds for an object. Like Graph, ignores the case of texts.
pub(super) fn matches(object: &Value, condition: &Condition) -> Result<bool> {
    let unsupported = || Error::FilterUnsupported(excerpt(&condition.property).to_owned());
    let value = object.get(&condition.property).ok_or_else(unsupported)?;
    let expected = condition.value.to_ascii_lowercase();
    let is_match = |text: &str| {
        let text = text.to_ascii_lowercase();
        if condition.is_prefix {
            text.starts_with(&expected)
        } else {
            text == expected
        }
    };
    Ok(match value {
        Value::String(text) => is_match(text),
        Value::Array(all) => all.iter().filter_map(Value::as_str).any(is_match),
        Value::Null => false,
        _ => return Err(unsupported()),
    })
}
