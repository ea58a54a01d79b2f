use super::role::Role;

/// The definition of a built-in role. Each can be assigned at every scope.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/role-definitions>
#[derive(Debug)]
pub struct RoleDefinition {
    /// Its id, which is the same in every tenant.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its description in Azure.
    pub description: &'static str,
    /// The permitted actions of the control plane.
    pub actions: &'static [&'static str],
    /// The exceptions from `actions`.
    pub not_actions: &'static [&'static str],
    /// The permitted actions on the content of resources.
    pub data_actions: &'static [&'static str],
    /// The only roles whose assignments it permits to add and remove. `None` if it has no such condition.
    pub assignable: Option<&'static [Role]>,
}

impl RoleDefinition {
    /// Returns true if it permits an action of the control plane.
    ///
    /// <https://learn.microsoft.com/azure/role-based-access-control/role-definitions#how-permissions-are-determined>
    pub fn permits(&self, action: &str) -> bool {
        let matches_any =
            |patterns: &[&str]| patterns.iter().any(|pattern| matches(pattern, action));
        matches_any(self.actions) && !matches_any(self.not_actions)
    }

    /// Returns true if it permits an action on the content of a resource.
    pub fn permits_data(&self, action: &str) -> bool {
        let mut patterns = self.data_actions.iter();
        patterns.any(|pattern| matches(pattern, action))
    }
}

/// Returns true if `action` matches `pattern`, without regard to case. A `*` stands for any text, and the `*` of `/*/`
/// also for nothing: Managed Identity Operator has `userAssignedIdentities/*/assign/action`, and the action is
/// `userAssignedIdentities/assign/action`.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/role-definitions#actions-format>,
/// <https://learn.microsoft.com/azure/role-based-access-control/permissions/identity#microsoftmanagedidentity>
fn matches(pattern: &str, action: &str) -> bool {
    matches_bytes(pattern.as_bytes(), action.as_bytes())
}

fn matches_bytes(pattern: &[u8], action: &[u8]) -> bool {
    match pattern {
        [] => action.is_empty(),
        [b'*', rest @ ..] => {
            (0..=action.len()).any(|length| matches_bytes(rest, &action[length..]))
        }
        [b'/', rest @ ..] if rest.starts_with(b"*/") && matches_bytes(&rest[1..], action) => true,
        [expected, rest @ ..] => match action {
            [first, others @ ..] => {
                expected.eq_ignore_ascii_case(first) && matches_bytes(rest, others)
            }
            [] => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcard_stands_for_any_text_and_case_is_ignored() {
        for (pattern, action, expected) in [
            ("*", "Microsoft.KeyVault/vaults/write", true),
            ("*/read", "Microsoft.KeyVault/vaults/read", true),
            ("*/read", "Microsoft.KeyVault/vaults/READ", true),
            ("*/read", "Microsoft.KeyVault/vaults/reader", false),
            ("A.B/*/Write", "a.b/c/write", true),
            ("A.B/*/Write", "a.b/c/d/write", true),
            ("A.B/*/Write", "a.b/write", true),
            ("A.B/*/Write", "a.bc/write", false),
            ("A.B/c/*", "A.B/c/read", true),
            ("A.B/c/*", "A.B/c", false),
            ("A.B/c/*", "A.B/cd/read", false),
            ("A.B/c/read", "A.B/c/read", true),
            ("A.B/c/read", "A.B/c/read/action", false),
            ("", "", true),
            ("", "A", false),
        ] {
            assert_eq!(matches(pattern, action), expected, "{pattern}: {action}");
        }
    }

    #[test]
    fn each_role_permits_azures_actions_of_the_control_plane() {
        const REGISTRY: &str = "Microsoft.ContainerRegistry/registries/";
        const VAULTS: &str = "Microsoft.KeyVault/vaults/";
        const PURGE: &str = "Microsoft.KeyVault/locations/deletedVaults/purge/action";
        const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";
        const ROLES: &str = "Microsoft.Authorization/roleAssignments/";
        let on = |resource: &str, verb: &str| format!("{resource}{verb}");
        for (role, action, expected) in [
            (Role::Owner, on(REGISTRY, "write"), true),
            (Role::Owner, on(ROLES, "write"), true),
            (
                Role::Contributor,
                on(REGISTRY, "listCredentials/action"),
                true,
            ),
            (Role::Contributor, PURGE.to_owned(), true),
            (Role::Contributor, on(ROLES, "read"), true),
            (Role::Contributor, on(ROLES, "write"), false),
            (Role::Contributor, on(ROLES, "DELETE"), false),
            (Role::Reader, on(REGISTRY, "read"), true),
            (Role::Reader, on(REGISTRY, "listCredentials/action"), false),
            (Role::Reader, on(VAULTS, "write"), false),
            (Role::UserAccessAdministrator, on(ROLES, "write"), true),
            (Role::UserAccessAdministrator, on(VAULTS, "read"), true),
            (Role::UserAccessAdministrator, on(VAULTS, "write"), false),
            (
                Role::RoleBasedAccessControlAdministrator,
                on(ROLES, "delete"),
                true,
            ),
            (Role::ManagedIdentityOperator, ASSIGN.to_owned(), true),
            (
                Role::ManagedIdentityOperator,
                "Microsoft.ManagedIdentity/userAssignedIdentities/write".to_owned(),
                false,
            ),
            (Role::ManagedIdentityContributor, ASSIGN.to_owned(), false),
            (Role::KeyVaultContributor, on(VAULTS, "write"), true),
            (Role::KeyVaultContributor, PURGE.to_owned(), false),
            (Role::KeyVaultPurgeOperator, PURGE.to_owned(), true),
            (Role::KeyVaultReader, on(VAULTS, "read"), true),
            (Role::KeyVaultCryptoUser, on(VAULTS, "read"), false),
            (Role::AcrPull, on(REGISTRY, "pull/read"), true),
            (Role::AcrPull, on(REGISTRY, "read"), false),
        ] {
            assert_eq!(role.permits(&action), expected, "{role}: {action}");
        }
    }
}
