//! Who is asking, and whether it may: what a request's `Authorization` says.

use axum::http::{HeaderMap, header};
use sealock_http::{Connection, Credentials};

use super::call::RegistryHost;
use crate::{
    Error, LoginRefusal, Registry, RepositoryName, Scope,
    access::permissions::{Action, Permissions, Subject},
    error::Challenge,
};

/// The user whose password is a refresh token.
const NULL_GUID: &str = "00000000-0000-0000-0000-000000000000";

/// The credentials of a request, if it has any: an empty user with an empty password is nobody.
///
/// # Errors
/// They cannot be read.
pub(super) fn credentials(headers: &HeaderMap) -> Result<Option<Credentials<'_>>, Unreadable> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match Credentials::parse(value) {
        _ if values.next().is_some() => Err(Unreadable),
        None => Err(Unreadable),
        // So the conformance suite of OCI asks for a token when it was told no credentials.
        Some(Credentials::Basic(user, password)) if user.is_empty() && password.is_empty() => {
            Ok(None)
        }
        credentials => Ok(credentials),
    }
}

/// What is there is no credentials.
pub(super) struct Unreadable;

/// What must be allowed for a request to be answered.
pub(super) enum Need<'a> {
    /// To be somebody.
    Login,
    /// To list the repositories.
    Catalog,
    /// To do this to a repository.
    Repository {
        name: &'a RepositoryName,
        actions: &'static [Action],
    },
}

impl Need<'_> {
    /// Returns true for what is asked of everybody, at an open door, too. A client that is not challenged there sends
    /// no password, and takes a wrong one for right.
    fn is_login(&self) -> bool {
        matches!(self, Self::Login)
    }

    fn is_met(&self, permissions: &Permissions) -> bool {
        match self {
            Self::Login => true,
            Self::Catalog => permissions.allow_catalog(),
            Self::Repository { name, actions } => actions
                .iter()
                .all(|action| permissions.allow(name.as_str(), *action)),
        }
    }

    /// Returns the permissions if they are enough.
    fn check(
        &self,
        permissions: Permissions,
        refusal: impl FnOnce(Box<Scope>) -> LoginRefusal,
    ) -> Result<Permissions, LoginRefusal> {
        match self.scope() {
            Some(scope) if !self.is_met(&permissions) => Err(refusal(Box::new(scope))),
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

/// What the caller may do, if that is enough.
///
/// # Errors
/// [`Error::Unauthorized`]
pub(super) async fn authorise(
    registry: &Registry,
    connection: &Connection,
    host: &RegistryHost,
    headers: &HeaderMap,
    need: &Need<'_>,
) -> Result<Permissions, Error> {
    let permitted = match credentials(headers) {
        Ok(None) if host.is_open && !need.is_login() => Ok(Permissions::admin()),
        Ok(None) => Err(LoginRefusal::NoCredentials),
        Ok(Some(Credentials::Basic(user, password))) => {
            let subject = by_password(registry, host, &user, &password).await?;
            subject.and_then(
                |Subject {
                     name, permissions, ..
                 }| {
                    let forbidden = |scope| LoginRefusal::ScopeForbidden { who: name, scope };
                    need.check(permissions, forbidden)
                },
            )
        }
        Ok(Some(Credentials::Bearer(token))) => {
            let bearer = registry.bearer(&host.audiences(), token);
            bearer.and_then(|(who, permissions)| {
                let missing = |scope| LoginRefusal::ScopeMissing { who, scope };
                need.check(permissions, missing)
            })
        }
        Err(Unreadable) => Err(LoginRefusal::HeaderUnreadable),
    };
    permitted.map_err(|why| Error::Unauthorized(Box::new(challenge(connection, need.scope(), why))))
}

/// Logs in `user` with `password`: the admin user, a token, an application, or whoever has a refresh token.
pub(super) async fn by_password(
    registry: &Registry,
    host: &RegistryHost,
    user: &str,
    password: &str,
) -> Result<Result<Subject, LoginRefusal>, Error> {
    if user == NULL_GUID {
        return registry.refreshed(&host.login_server, password).await;
    }
    registry.login(user, password).await
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
    /// Without a space behind the commas: az looks for the service in the second word of the header.
    pub(super) fn header(&self) -> String {
        let Self { realm, service, .. } = self;
        let scope = self.scope.as_ref();
        let scope = scope.map_or_else(String::new, |scope| format!(",scope=\"{scope}\""));
        let error = self.why.challenge_error();
        let error = error.map_or_else(String::new, |error| format!(",error=\"{error}\""));
        format!("Bearer realm=\"{realm}\",service=\"{service}\"{scope}{error}")
    }
}
