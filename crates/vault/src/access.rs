use sealock_core::PrincipalId;

use crate::{KeyPermission, Policy};

/// Whether a caller may do what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Granted,
    /// It may not.
    Denied,
}

/// Decides whether a vault's access policies give a principal a permission. `all` includes every other.
///
/// <https://learn.microsoft.com/azure/key-vault/general/assign-access-policy>
pub fn decide(principal: PrincipalId, policies: &[Policy], permission: KeyPermission) -> Decision {
    let granted = policies.iter().any(|policy| {
        policy.principal == principal
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
    use super::*;

    #[test]
    fn a_permission_is_needed_in_a_policy_of_ones_own() {
        use Decision::{Denied, Granted};
        use KeyPermission::{All, Get, UnwrapKey, WrapKey};

        let principal = PrincipalId::random();
        let own = |permissions: &[KeyPermission]| Policy {
            principal,
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
                decide(principal, &policies, permission),
                decision,
                "{permission} of {policies:?}"
            );
        }
    }
}
