use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Error, KeyPermission, Result};

/// The name of the permission that includes all others of its kind.
const ALL: &str = "all";

/// The permissions of an access policy, as its author wrote them. Those to keys alone have an effect.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update#permissions>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyPermissions {
    /// The permissions to keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<PermissionNames>,
    /// The permissions to secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<PermissionNames>,
    /// The permissions to certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<PermissionNames>,
    /// The permissions to storage accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<PermissionNames>,
}

/// The names of permissions of one kind, each once, in the order and case of their author.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PermissionNames(Vec<String>);

/// A kind of content to which an access policy gives permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// Keys.
    Keys,
    /// Secrets.
    Secrets,
    /// Certificates.
    Certificates,
    /// Storage accounts, which Key Vault no longer manages.
    Storage,
}

impl ContentKind {
    /// Returns the names of all permissions of this kind.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update#definitions>
    fn permissions(self) -> Vec<&'static str> {
        let names: &[&str] = match self {
            Self::Keys => return KeyPermission::EVERY.map(KeyPermission::as_str).to_vec(),
            Self::Secrets => &[
                ALL, "get", "list", "set", "delete", "backup", "restore", "recover", "purge",
            ],
            Self::Certificates => &[
                ALL,
                "get",
                "list",
                "delete",
                "create",
                "import",
                "update",
                "managecontacts",
                "getissuers",
                "listissuers",
                "setissuers",
                "deleteissuers",
                "manageissuers",
                "recover",
                "purge",
                "backup",
                "restore",
            ],
            Self::Storage => &[
                ALL,
                "get",
                "list",
                "delete",
                "set",
                "update",
                "regeneratekey",
                "recover",
                "purge",
                "backup",
                "restore",
                "setsas",
                "listsas",
                "getsas",
                "deletesas",
            ],
        };
        names.to_vec()
    }
}

impl PolicyPermissions {
    /// Returns permissions to keys only.
    pub(crate) fn to_keys(permissions: &BTreeSet<KeyPermission>) -> Self {
        let names = permissions.iter().map(ToString::to_string).collect();
        Self {
            keys: Some(PermissionNames(names)),
            ..Self::default()
        }
    }

    /// Returns the permissions to keys. Drops what is none, which no record contains.
    pub fn key_permissions(&self) -> BTreeSet<KeyPermission> {
        let names = self.keys.iter().flat_map(|names| &names.0);
        names.filter_map(|name| name.parse().ok()).collect()
    }

    /// Returns true if they include `permission` to keys, by its name or by `all`.
    pub(super) fn include(&self, permission: KeyPermission) -> bool {
        let includes =
            |names: &PermissionNames| names.contains(permission.as_str()) || names.contains(ALL);
        self.keys.as_ref().is_some_and(includes)
    }

    /// Returns true if they permit nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let lists = [&self.keys, &self.secrets, &self.certificates, &self.storage];
        lists.into_iter().flatten().all(|names| names.0.is_empty())
    }

    /// Returns these permissions and those of `added`.
    #[must_use]
    pub(crate) fn union(&self, added: &Self) -> Self {
        self.combined(added, |held, added, _| {
            let mut names = held.clone();
            for name in &added.0 {
                if !names.contains(name) {
                    names.0.push(name.clone());
                }
            }
            names
        })
    }

    /// Returns the permissions that are not in `removed`. Replaces `all` by the permissions that it includes, so that it
    /// does not include the removed ones any more.
    #[must_use]
    pub(crate) fn without(&self, removed: &Self) -> Self {
        self.combined(removed, |held, removed, kind| {
            if removed.0.is_empty() {
                return held.clone();
            }
            if removed.contains(ALL) {
                return PermissionNames::default();
            }
            let mut names = held.clone();
            if held.contains(ALL) {
                names.0 = kind.permissions().into_iter().map(str::to_owned).collect();
            }
            names
                .0
                .retain(|name| !name.eq_ignore_ascii_case(ALL) && !removed.contains(name));
            names
        })
    }

    /// Combines the lists of each kind. A kind that `other` does not have stays as it is.
    fn combined(
        &self,
        other: &Self,
        combine: impl Fn(&PermissionNames, &PermissionNames, ContentKind) -> PermissionNames,
    ) -> Self {
        let none = PermissionNames::default();
        let combined =
            |held: &Option<PermissionNames>, other: &Option<PermissionNames>, kind| match other {
                None => held.clone(),
                Some(other) => Some(combine(held.as_ref().unwrap_or(&none), other, kind)),
            };
        Self {
            keys: combined(&self.keys, &other.keys, ContentKind::Keys),
            secrets: combined(&self.secrets, &other.secrets, ContentKind::Secrets),
            certificates: combined(
                &self.certificates,
                &other.certificates,
                ContentKind::Certificates,
            ),
            storage: combined(&self.storage, &other.storage, ContentKind::Storage),
        }
    }
}

impl PermissionNames {
    /// Checks names of permissions of a kind. Azure ignores their case, and refuses spaces around them.
    ///
    /// <https://github.com/Azure/azure-libraries-for-net/issues/361>
    ///
    /// # Errors
    /// [`Error::VaultPropertyInvalid`]
    pub fn parse(kind: ContentKind, names: Vec<String>) -> Result<Self> {
        let known = kind.permissions();
        let mut parsed = Self::default();
        for name in names {
            if !known.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                return Err(Error::invalid_vault_property("accessPolicies"));
            }
            if !parsed.contains(&name) {
                parsed.0.push(name);
            }
        }
        Ok(parsed)
    }

    /// Returns the names.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|held| held.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(kind: ContentKind, names: &[&str]) -> Result<PermissionNames> {
        PermissionNames::parse(kind, names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn keys(given: &[&str]) -> PolicyPermissions {
        PolicyPermissions {
            keys: Some(names(ContentKind::Keys, given).unwrap()),
            ..PolicyPermissions::default()
        }
    }

    #[test]
    fn names_keep_their_case_and_order_and_unknown_ones_are_refused() {
        let parsed = names(ContentKind::Keys, &["Get", "unwrapkey", "GET"]).unwrap();
        assert_eq!(parsed.names(), ["Get", "unwrapkey"]);
        for (kind, name, is_known) in [
            (ContentKind::Keys, "wrapKey", true),
            (ContentKind::Keys, "set", false),
            (ContentKind::Keys, " list", false),
            (ContentKind::Secrets, "set", true),
            (ContentKind::Secrets, "wrapKey", false),
            (ContentKind::Certificates, "ManageContacts", true),
            (ContentKind::Storage, "regeneratekey", true),
            (ContentKind::Storage, "", false),
        ] {
            assert_eq!(names(kind, &[name]).is_ok(), is_known, "{kind:?} {name}");
        }
    }

    #[test]
    fn all_and_names_in_any_case_include_a_permission() {
        use KeyPermission::{Get, UnwrapKey};
        assert!(keys(&["ALL"]).include(UnwrapKey));
        assert!(keys(&["UNWRAPKEY"]).include(UnwrapKey) && !keys(&["unwrapKey"]).include(Get));
        assert!(!PolicyPermissions::default().include(Get));
    }

    #[test]
    fn removing_one_permission_from_all_keeps_the_others() {
        let three = keys(&["get", "wrapKey", "unwrapKey"]);
        assert_eq!(
            three.without(&keys(&["WRAPKEY"])),
            keys(&["get", "unwrapKey"])
        );
        assert!(three.without(&keys(&["all"])).is_empty());
        assert_eq!(three.without(&keys(&[])), three);
        assert_eq!(three.without(&PolicyPermissions::default()), three);
        let rest = keys(&["all"]).without(&keys(&["unwrapKey"]));
        let rest = rest.key_permissions();
        assert_eq!(rest.len(), KeyPermission::EVERY.len() - 2);
        assert!(!rest.contains(&KeyPermission::All) && !rest.contains(&KeyPermission::UnwrapKey));
    }

    #[test]
    fn adding_permissions_keeps_those_of_other_kinds() {
        let secrets = PolicyPermissions {
            secrets: Some(names(ContentKind::Secrets, &["get"]).unwrap()),
            ..PolicyPermissions::default()
        };
        let both = keys(&["get"]).union(&secrets);
        assert_eq!(
            (&both.keys, &both.secrets),
            (&keys(&["get"]).keys, &secrets.secrets)
        );
        let more = both.union(&keys(&["Get", "list"]));
        assert_eq!(more.keys, keys(&["get", "list"]).keys);
        assert_eq!(
            more.without(&keys(&["all"])).union(&secrets).secrets,
            secrets.secrets
        );
    }
}
