use std::{collections::BTreeSet, fmt, str::FromStr};

use sealock_core::{ClientId, excerpt};
use sealock_entra::Role;
use serde::{Deserialize, Serialize};

use crate::{Error, RepositoryName};

/// An action on a repository.
///
/// <https://github.com/Azure/acr/blob/main/docs/Token-BasicAuth.md>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Read manifests and blobs.
    Pull,
    /// Write manifests and blobs.
    Push,
    /// Delete manifests and blobs.
    Delete,
    /// Read attributes, and list tags and manifests.
    MetadataRead,
    /// Change attributes.
    MetadataWrite,
}

impl Action {
    /// All actions.
    pub(crate) const ALL: [Self; 5] = [
        Self::Pull,
        Self::Push,
        Self::Delete,
        Self::MetadataRead,
        Self::MetadataWrite,
    ];

    /// Returns the name of the action in scopes.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::MetadataRead => "metadata_read",
            Self::MetadataWrite => "metadata_write",
        }
    }
}

/// A scope that a client requests, or that a token has: `TYPE:NAME:ACTION,...`.
///
/// <https://distribution.github.io/distribution/spec/auth/scope/>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// `repository` or `registry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The repository, or `catalog`.
    pub name: String,
    /// The actions as requested.
    pub actions: Vec<String>,
}

impl Scope {
    const REPOSITORY: &str = "repository";
    const REGISTRY: &str = "registry";
    const CATALOG: &str = "catalog";
    /// The name in the scope that `az acr check-health` requests when it means no repository.
    const NO_REPOSITORY: &str = "None";
    const EVERY_ACTION: &str = "*";

    /// Returns the scope for listing the repositories.
    pub(crate) fn catalog() -> Self {
        Self {
            kind: Self::REGISTRY.to_owned(),
            name: Self::CATALOG.to_owned(),
            actions: vec![Self::EVERY_ACTION.to_owned()],
        }
    }

    pub(crate) fn repository(name: &RepositoryName, actions: &[Action]) -> Self {
        Self {
            kind: Self::REPOSITORY.to_owned(),
            name: name.to_string(),
            actions: actions
                .iter()
                .map(|action| action.as_str().to_owned())
                .collect(),
        }
    }

    fn requests(&self, action: Action) -> bool {
        self.actions
            .iter()
            .any(|requested| requested == action.as_str() || requested == Self::EVERY_ACTION)
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::ScopeInvalid(excerpt(text).to_owned());
        let (kind, rest) = text.split_once(':').ok_or_else(invalid)?;
        let (name, actions) = rest.rsplit_once(':').ok_or_else(invalid)?;
        if kind.is_empty() || name.is_empty() || text.len() > 1024 {
            return Err(invalid());
        }
        Ok(Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            actions: actions
                .split(',')
                .filter(|action| !action.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}

/// A pattern of repository names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The repository of this name.
    Exact(String),
    /// The repositories whose names start with this prefix. The empty prefix matches all.
    Prefix(String),
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

/// The permissions of a caller in a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permissions {
    grants: Vec<(Pattern, Vec<Action>)>,
    catalog: bool,
}

impl Permissions {
    /// Returns the permissions of the admin user.
    pub(crate) fn admin() -> Self {
        Self::in_every_repository(Action::ALL.to_vec())
    }

    /// Returns the permissions of a caller without credentials where anonymous pull is enabled.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/anonymous-pull-access>
    pub(crate) fn anonymous_pull() -> Self {
        Self::in_every_repository(vec![Action::Pull, Action::MetadataRead])
    }

    pub(crate) fn in_every_repository(actions: Vec<Action>) -> Self {
        Self {
            catalog: actions.contains(&Action::MetadataRead),
            grants: vec![(Pattern::Prefix(String::new()), actions)],
        }
    }

    /// Returns the permissions that `roles` over the registry give. The right to pull includes listing repositories and
    /// tags. Only Contributor and Owner change attributes.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-directory-reference>
    /// (registries with "RBAC Registry Permissions")
    pub(crate) fn of_roles(roles: &BTreeSet<Role>) -> Self {
        use Action::{Delete, MetadataRead, Pull, Push};
        let permits = |action: &Action| {
            roles.iter().any(|role| match role {
                Role::AcrPull | Role::Reader => matches!(action, Pull | MetadataRead),
                Role::AcrPush => matches!(action, Pull | Push | MetadataRead),
                Role::AcrDelete => matches!(action, Delete),
                Role::Contributor | Role::Owner => true,
                // Roles of other services.
                _ => false,
            })
        };
        Self::in_every_repository(Action::ALL.into_iter().filter(permits).collect())
    }

    /// Returns the permissions that a scope map gives to a repository-scoped token. The token lists repositories if it
    /// may read the metadata of all of them, including future ones.
    ///
    /// <https://github.com/Azure/acr/issues/751>
    pub(crate) fn in_repositories(grants: Vec<(Pattern, Vec<Action>)>) -> Self {
        let mut permissions = Self {
            grants,
            catalog: false,
        };
        permissions.catalog = permissions.allows_everywhere(Action::MetadataRead);
        permissions
    }

    /// Returns the permissions of an access token.
    pub(crate) fn granted(scopes: &[Scope]) -> Self {
        let granted = scopes
            .iter()
            .filter(|scope| scope.kind == Scope::REPOSITORY);
        Self {
            catalog: scopes.contains(&Scope::catalog()),
            grants: granted
                .map(|scope| {
                    let actions = Action::ALL.into_iter();
                    let actions = actions.filter(|action| scope.requests(*action)).collect();
                    (Pattern::Exact(scope.name.clone()), actions)
                })
                .collect(),
        }
    }

    /// Returns true if they allow `action` in `repository`.
    pub(crate) fn allows(&self, repository: &str, action: Action) -> bool {
        self.grants
            .iter()
            .any(|(pattern, actions)| actions.contains(&action) && pattern.matches(repository))
    }

    /// Returns true if they allow `action` in every repository, including future ones.
    pub(crate) fn allows_everywhere(&self, action: Action) -> bool {
        let everywhere = Pattern::Prefix(String::new());
        self.grants
            .iter()
            .any(|(pattern, actions)| *pattern == everywhere && actions.contains(&action))
    }

    /// Returns true if they allow listing the repositories.
    pub(crate) fn allows_catalog(&self) -> bool {
        self.catalog
    }

    /// Returns the part of `requested` that they allow. `None` if they allow nothing of it.
    pub(crate) fn grant(&self, requested: &Scope) -> Option<Scope> {
        let actions: Vec<String> = match (requested.kind.as_str(), requested.name.as_str()) {
            (Scope::REPOSITORY, name) => Action::ALL
                .into_iter()
                .filter(|action| requested.requests(*action) && self.allows(name, *action))
                .map(|action| action.as_str().to_owned())
                .collect(),
            (Scope::REGISTRY, Scope::CATALOG) if self.catalog => requested.actions.clone(),
            (Scope::REGISTRY, Scope::NO_REPOSITORY) => requested.actions.clone(),
            _ => Vec::new(),
        };
        (!actions.is_empty()).then(|| Scope {
            actions,
            ..requested.clone()
        })
    }
}

/// A caller who has logged in to the registry.
pub(crate) struct Caller {
    pub(crate) name: String,
    /// The client id, if Entra knows the caller.
    pub(crate) application: Option<ClientId>,
    /// True if the caller showed no credentials.
    pub(crate) is_anonymous: bool,
    pub(crate) permissions: Permissions,
}

impl Caller {
    /// Creates a caller that only the registry knows.
    pub(crate) fn named(name: &str, permissions: Permissions) -> Self {
        Self {
            name: name.to_owned(),
            application: None,
            is_anonymous: false,
            permissions,
        }
    }

    /// Creates the caller without credentials.
    pub(crate) fn anonymous(permissions: Permissions) -> Self {
        Self {
            is_anonymous: true,
            ..Self::named("anonymous", permissions)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn scope_of_a_name_with_colons_is_parsed() {
        let found = scope("repository:host:5000/a/b:pull,push");
        assert_eq!(found.name, "host:5000/a/b");
        assert_eq!(found.actions, ["pull", "push"]);
        assert_eq!(found.to_string(), "repository:host:5000/a/b:pull,push");
        for bad in [
            "",
            "repository",
            "repository:a",
            ":a:pull",
            "repository::pull",
        ] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_requested_and_allowed_actions_are_granted() {
        let token = Permissions::in_repositories(vec![
            (Pattern::Exact("a".into()), vec![Action::Pull, Action::Push]),
            (Pattern::Prefix("team/".into()), vec![Action::Pull]),
        ]);
        for (permissions, requested, granted) in [
            (&token, "repository:a:pull", Some("repository:a:pull")),
            (&token, "repository:a:*", Some("repository:a:pull,push")),
            (
                &token,
                "repository:a:pull,delete",
                Some("repository:a:pull"),
            ),
            (&token, "repository:a/b:pull", None),
            (
                &token,
                "repository:team/x:pull,push",
                Some("repository:team/x:pull"),
            ),
            (&token, "repository:team:pull", None),
            (&token, "registry:catalog:*", None),
            (&token, "registry:None:*", Some("registry:None:*")),
            (&token, "repository(plugin):a:pull", None),
            (
                &Permissions::admin(),
                "registry:catalog:*",
                Some("registry:catalog:*"),
            ),
            (
                &Permissions::anonymous_pull(),
                "repository:a:pull,push",
                Some("repository:a:pull"),
            ),
            (&Permissions::default(), "repository:a:pull", None),
        ] {
            let found = permissions
                .grant(&scope(requested))
                .map(|found| found.to_string());
            assert_eq!(found.as_deref(), granted, "{requested}");
        }
    }

    #[test]
    fn several_roles_add_up() {
        use Action::{Delete, MetadataRead, MetadataWrite, Pull, Push};
        let all = &[Pull, Push, Delete, MetadataRead, MetadataWrite][..];
        for (roles, actions) in [
            (&[][..], &[][..]),
            (&[Role::AcrPull], &[Pull, MetadataRead]),
            (&[Role::Reader], &[Pull, MetadataRead]),
            (&[Role::AcrPush], &[Pull, Push, MetadataRead]),
            (&[Role::AcrDelete], &[Delete]),
            (
                &[Role::AcrDelete, Role::AcrPull],
                &[Pull, Delete, MetadataRead],
            ),
            (&[Role::Contributor], all),
            (&[Role::Owner], all),
        ] {
            let found = Permissions::of_roles(&roles.iter().copied().collect());
            for action in Action::ALL {
                let expected = actions.contains(&action);
                assert_eq!(
                    found.allows_everywhere(action),
                    expected,
                    "{roles:?} {action:?}"
                );
            }
            assert_eq!(found.allows_catalog(), actions.contains(&MetadataRead));
        }
    }

    #[test]
    fn access_token_allows_only_its_scopes() {
        let found = Permissions::granted(&[
            scope("repository:a:pull,metadata_read"),
            scope("registry:catalog:*"),
        ]);
        assert!(found.allows("a", Action::Pull) && found.allows("a", Action::MetadataRead));
        assert!(!found.allows("a", Action::Push) && !found.allows("b", Action::Pull));
        assert!(found.allows_catalog() && !found.allows_everywhere(Action::Pull));
    }
}
