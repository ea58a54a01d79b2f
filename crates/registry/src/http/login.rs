//! The authorization of a request by its `Authorization` header.

use axum::http::{HeaderMap, header};
use sealock_http::{Connection, Credentials};

use super::call::RegistryHost;
use crate::{
    Error, LoginRefusal, Registry, RepositoryName, Scope,
    access::permissions::{Action, Caller, Permissions},
    error::Challenge,
};

/// The user whose password is a refresh token.
const NULL_GUID: &str = "00000000-0000-0000-0000-000000000000";

/// Returns the credentials of a request. An empty user with an empty password counts as none.
///
/// # Errors
/// [`Unreadable`] if the header cannot be parsed.
pub(super) fn credentials(headers: &HeaderMap) -> Result<Option<Credentials<'_>>, Unreadable> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match Credentials::parse(value) {
        _ if values.next().is_some() => Err(Unreadable),
        None => Err(Unreadable),
        // OCI's conformance suite requests a token in this way if it has no credentials.
        Some(Credentials::Basic(user, password)) if user.is_empty() && password.is_empty() => {
            Ok(None)
        }
        credentials => Ok(credentials),
    }
}

/// The error of an `Authorization` header that cannot be parsed.
pub(super) struct Unreadable;

/// The access that a request needs.
pub(super) enum RequiredAccess<'a> {
    /// Any login.
    Login,
    /// Listing the repositories.
    Catalog,
    /// Actions on a repository.
    Repository {
        name: &'a RepositoryName,
        actions: &'static [Action],
    },
}

impl RequiredAccess<'_> {
    /// Returns true if it needs a login at the friendly door, too. Without a challenge there, a client would send no
    /// password, and take a wrong one for right.
    fn is_login(&self) -> bool {
        matches!(self, Self::Login)
    }

    fn is_granted_by(&self, permissions: &Permissions) -> bool {
        match self {
            Self::Login => true,
            Self::Catalog => permissions.allows_catalog(),
            Self::Repository { name, actions } => actions
                .iter()
                .all(|action| permissions.allows(name.as_str(), *action)),
        }
    }

    /// Returns the permissions if they grant this access.
    fn check(
        &self,
        permissions: Permissions,
        refusal: impl FnOnce(Box<Scope>) -> LoginRefusal,
    ) -> Result<Permissions, LoginRefusal> {
        match self.scope() {
            Some(scope) if !self.is_granted_by(&permissions) => Err(refusal(Box::new(scope))),
            _ => Ok(permissions),
        }
    }

    fn scope(&self) -> Option<Scope> {
        match self {
            Self::Login => None,
            Self::Catalog => Some(Scope::catalog()),
            Self::Repository { name, actions, .. } => Some(Scope::repository(name, actions)),
        }
    }
}

/// Returns the permissions of the caller if they grant the required access.
///
/// # Errors
/// [`Error::Unauthorized`]
pub(super) async fn authorize(
    registry: &Registry,
    connection: &Connection,
    host: &RegistryHost,
    headers: &HeaderMap,
    required_access: &RequiredAccess<'_>,
) -> Result<Permissions, Error> {
    let permitted = match credentials(headers) {
        Ok(None) if host.is_friendly && !required_access.is_login() => Ok(Permissions::admin()),
        Ok(None) => Err(LoginRefusal::NoCredentials),
        Ok(Some(Credentials::Basic(user, password))) => {
            let caller = log_in(registry, host, &user, &password).await?;
            caller.and_then(
                |Caller {
                     name, permissions, ..
                 }| {
                    let forbidden = |scope| LoginRefusal::ScopeForbidden { user: name, scope };
                    required_access.check(permissions, forbidden)
                },
            )
        }
        Ok(Some(Credentials::Bearer(token))) => {
            let bearer = registry.verify_access_token(&host.audiences(), token);
            bearer.and_then(|(user, permissions)| {
                let missing = |scope| LoginRefusal::ScopeMissing { user, scope };
                required_access.check(permissions, missing)
            })
        }
        Err(Unreadable) => Err(LoginRefusal::HeaderUnreadable),
    };
    permitted.map_err(|why| {
        Error::Unauthorized(Box::new(challenge(
            connection,
            required_access.scope(),
            why,
        )))
    })
}

/// Logs in `user` with `password`: the admin user, a token, an application, or the holder of a refresh token.
pub(super) async fn log_in(
    registry: &Registry,
    host: &RegistryHost,
    user: &str,
    password: &str,
) -> Result<Result<Caller, LoginRefusal>, Error> {
    if user == NULL_GUID {
        return registry
            .log_in_with_refresh_token(&host.login_server, password)
            .await;
    }
    registry.log_in(user, password).await
}

fn challenge(connection: &Connection, scope: Option<Scope>, why: LoginRefusal) -> Challenge {
    Challenge {
        realm: format!("{}/oauth2/token", connection.origin()),
        service: connection.authority.clone(),
        scope,
        why,
    }
}

impl Challenge {
    /// Renders the header without spaces after the commas: az looks for the service in its second word.
    pub(super) fn header(&self) -> String {
        let Self { realm, service, .. } = self;
        let scope = self.scope.as_ref();
        let scope = scope.map_or_else(String::new, |scope| format!(",scope=\"{scope}\""));
        let error = self.why.challenge_error();
        let error = error.map_or_else(String::new, |error| format!(",error=\"{error}\""));
        format!("Bearer realm=\"{realm}\",service=\"{service}\"{scope}{error}")
    }
}
