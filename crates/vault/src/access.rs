use sealock_entra::ManagedIdentity;

use crate::{KeyPermission, Policy};

/// Whether a caller may do what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Granted,
    /// It may not.
    Denied,
}

/// Decides whether a vault's access policies give an identity a permission. `all` includes every other.
///
/// <https://learn.microsoft.com/azure/key-vault/general/assign-access-policy>
pub fn decide(
    identity: &ManagedIdentity,
    policies: &[Policy],
    permission: KeyPermission,
) -> Decision {
    let granted = policies.iter().any(|policy| {
        policy.principal == identity.principal_id
            && (policy.permissions.contains(&permission)
                || policy.permissions.contains(&KeyPermission::All))
    });
    if granted {
        Decision::Granted
    } else {
        Decision::Denied
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use sealock_core::{ClientId, PrincipalId, TenantId};
    use sealock_entra::ManagedIdentity;

    use super::*;

    #[test]
    fn a_permission_is_needed_in_a_policy_of_ones_own() {
        use Decision::{Denied, Granted};
        use KeyPermission::{All, Get, UnwrapKey, WrapKey};

        let identity = ManagedIdentity {
            name: "registry-identity".parse().unwrap(),
            client_id: ClientId::random(),
            principal_id: PrincipalId::random(),
            tenant_id: TenantId::random(),
            created: Timestamp::UNIX_EPOCH,
        };
        let own = |permissions: &[KeyPermission]| Policy {
            principal: identity.principal_id,
            permissions: permissions.iter().copied().collect(),
        };
        let of_another = |permissions: &[KeyPermission]| Policy {
            principal: PrincipalId::random(),
            permissions: permissions.iter().copied().collect(),
        };
        for (policies, permission, decision) in [
            (vec![], Get, Denied),
            (vec![own(&[])], Get, Denied),
            (vec![own(&[Get])], Get, Granted),
            (vec![own(&[Get])], WrapKey, Denied),
            (vec![own(&[Get, WrapKey])], UnwrapKey, Denied),
            (vec![own(&[Get, WrapKey])], WrapKey, Granted),
            (vec![own(&[All])], UnwrapKey, Granted),
            (vec![of_another(&[All])], Get, Denied),
            (vec![of_another(&[Get]), own(&[Get])], Get, Granted),
            (vec![of_another(&[Get]), own(&[WrapKey])], Get, Denied),
        ] {
            assert_eq!(
                decide(&identity, &policies, permission),
                decision,
                "{permission} of {policies:?}"
            );
        }
    }
}
