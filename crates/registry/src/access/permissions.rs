use std::{collections::BTreeSet, fmt, str::FromStr};

use sealock_core::{ClientId, excerpt};
use sealock_entra::Role;
use serde::{Deserialize, Serialize};

use crate::{Error, RepositoryName};

/// What can be done to a repository.
///
/// <https://github.com/Azure/acr/blob/main/docs/Token-BasicAuth.md>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Read manifests and blobs.
    Pull,
    /// Write them.
    Push,
    /// Delete them.
    Delete,
    /// Read their attributes, and list them.
    MetadataRead,
    /// Write their attributes.
    MetadataWrite,
}

impl Action {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Pull,
        Self::Push,
        Self::Delete,
        Self::MetadataRead,
        Self::MetadataWrite,
    ];

    /// As scopes write it.
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

/// What a token is asked to be good for, or is: `TYPE:NAME:ACTION,...`.
///
/// <https://distribution.github.io/distribution/spec/auth/scope/>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// `repository` or `registry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The repository, or `catalog`.
    pub name: String,
    /// The actions, as they were asked for.
    pub actions: Vec<String>,
}

impl Scope {
    const REPOSITORY: &str = "repository";
    const REGISTRY: &str = "registry";
    const CATALOG: &str = "catalog";
    /// What `az acr check-health` asks for when it means no repository.
    const NOTHING: &str = "None";
    const EVERY_ACTION: &str = "*";

    /// The list of repositories.
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

    fn asks_for(&self, action: Action) -> bool {
        self.actions
            .iter()
            .any(|asked| asked == action.as_str() || asked == Self::EVERY_ACTION)
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

/// Which repositories a permission is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// This one.
    Exactly(String),
    /// Those whose names begin so. All of them, if it is empty.
    Beginning(String),
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exactly(exactly) => name == exactly,
            Self::Beginning(beginning) => name.starts_with(beginning),
        }
    }
}

/// What a caller may do in a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permissions {
    grants: Vec<(Pattern, Vec<Action>)>,
    catalog: bool,
}

impl Permissions {
    /// Those of the admin user.
    pub(crate) fn admin() -> Self {
        Self::in_every_repository(Action::ALL.to_vec())
    }

    /// Those of whoever comes without credentials, where that may be.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/anonymous-pull-access>
    pub(crate) fn anonymous_pull() -> Self {
        Self::in_every_repository(vec![Action::Pull, Action::MetadataRead])
    }

    pub(crate) fn in_every_repository(actions: Vec<Action>) -> Self {
        Self {
            catalog: actions.contains(&Action::MetadataRead),
            grants: vec![(Pattern::Beginning(String::new()), actions)],
        }
    }

    /// Those that roles over the registry give. The right to pull is also one to list repositories and tags; locks
    /// are for Contributor and Owner alone.
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
                // Those of other services.
                _ => false,
            })
        };
        Self::in_every_repository(Action::ALL.into_iter().filter(permits).collect())
    }

    /// Those that a repository-scoped token has by its scope map. It lists the repositories if it may read the
    /// metadata of all of them, those to come included.
    ///
    /// <https://github.com/Azure/acr/issues/751>
    pub(crate) fn in_repositories(grants: Vec<(Pattern, Vec<Action>)>) -> Self {
        let mut permissions = Self {
            grants,
            catalog: false,
        };
        permissions.catalog = permissions.allow_everywhere(Action::MetadataRead);
        permissions
    }

    /// Those that an access token carries.
    pub(crate) fn granted(scopes: &[Scope]) -> Self {
        let granted = scopes
            .iter()
            .filter(|scope| scope.kind == Scope::REPOSITORY);
        Self {
            catalog: scopes.contains(&Scope::catalog()),
            grants: granted
                .map(|scope| {
                    let actions = Action::ALL.into_iter();
                    let actions = actions.filter(|action| scope.asks_for(*action)).collect();
                    (Pattern::Exactly(scope.name.clone()), actions)
                })
                .collect(),
        }
    }

    /// Whether they allow this in `repository`.
    pub(crate) fn allow(&self, repository: &str, action: Action) -> bool {
        self.grants
            .iter()
            .any(|(pattern, actions)| actions.contains(&action) && pattern.matches(repository))
    }

    /// Whether they allow this in every repository, those to come included.
    pub(crate) fn allow_everywhere(&self, action: Action) -> bool {
        let everywhere = Pattern::Beginning(String::new());
        self.grants
            .iter()
            .any(|(pattern, actions)| *pattern == everywhere && actions.contains(&action))
    }

    /// Whether they allow to list the repositories.
    pub(crate) fn allow_catalog(&self) -> bool {
        self.catalog
    }

    /// As much of `asked` as they allow. None if that is nothing.
    pub(crate) fn grant(&self, asked: &Scope) -> Option<Scope> {
        let actions: Vec<String> = match (asked.kind.as_str(), asked.name.as_str()) {
            (Scope::REPOSITORY, name) => Action::ALL
                .into_iter()
                .filter(|action| asked.asks_for(*action) && self.allow(name, *action))
                .map(|action| action.as_str().to_owned())
                .collect(),
            (Scope::REGISTRY, Scope::CATALOG) if self.catalog => asked.actions.clone(),
            (Scope::REGISTRY, Scope::NOTHING) => asked.actions.clone(),
            _ => Vec::new(),
        };
        (!actions.is_empty()).then(|| Scope {
            actions,
            ..asked.clone()
        })
    }
}

/// Whom a token of the registry is for.
pub(crate) struct Subject {
    pub(crate) name: String,
    /// By which Entra knows it, if it does.
    pub(crate) application: Option<ClientId>,
    /// True for whoever shows no credentials.
    pub(crate) is_anonymous: bool,
    pub(crate) permissions: Permissions,
}

impl Subject {
    /// One that the registry itself knows.
    pub(crate) fn named(name: &str, permissions: Permissions) -> Self {
        Self {
            name: name.to_owned(),
            application: None,
            is_anonymous: false,
            permissions,
        }
    }

    /// The subject without credentials.
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
    fn a_scope_is_read_from_both_ends() {
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
    fn no_more_is_granted_than_is_asked_for_and_allowed() {
        let token = Permissions::in_repositories(vec![
            (
                Pattern::Exactly("a".into()),
                vec![Action::Pull, Action::Push],
            ),
            (Pattern::Beginning("team/".into()), vec![Action::Pull]),
        ]);
        for (permissions, asked, granted) in [
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
                .grant(&scope(asked))
                .map(|found| found.to_string());
            assert_eq!(found.as_deref(), granted, "{asked}");
        }
    }

    #[test]
    fn roles_add_up_to_what_they_permit() {
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
                    found.allow_everywhere(action),
                    expected,
                    "{roles:?} {action:?}"
                );
            }
            assert_eq!(found.allow_catalog(), actions.contains(&MetadataRead));
        }
    }

    #[test]
    fn a_token_allows_what_it_carries_and_nothing_else() {
        let found = Permissions::granted(&[
            scope("repository:a:pull,metadata_read"),
            scope("registry:catalog:*"),
        ]);
        assert!(found.allow("a", Action::Pull) && found.allow("a", Action::MetadataRead));
        assert!(!found.allow("a", Action::Push) && !found.allow("b", Action::Pull));
        assert!(found.allow_catalog() && !found.allow_everywhere(Action::Pull));
    }
}
