use sealock_entra::Caller;

use crate::{KeyPermission, Policy};

/// Whether a caller may do what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Granted,
    /// It may not.
    Denied,
}

/// Decides whether a vault's access policies give the caller a permission.
///
/// The operator needs none. `all` includes every other permission.
///
/// <https://learn.microsoft.com/azure/key-vault/general/assign-access-policy>
pub fn decide(caller: &Caller, policies: &[Policy], permission: KeyPermission) -> Decision {
    let granted = match caller {
        Caller::Operator => true,
        Caller::Identity(identity) => policies.iter().any(|policy| {
            policy.principal == identity.principal_id
                && (policy.permissions.contains(&permission)
                    || policy.permissions.contains(&KeyPermission::All))
        }),
    };
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
    fn a_permission_is_needed_unless_the_caller_is_the_operator() {
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
        let caller = Caller::Identity(identity.clone());
        for (caller, policies, permission, decision) in [
            (&Caller::Operator, vec![], UnwrapKey, Granted),
            (&caller, vec![], Get, Denied),
            (&caller, vec![own(&[])], Get, Denied),
            (&caller, vec![own(&[Get])], Get, Granted),
            (&caller, vec![own(&[Get])], WrapKey, Denied),
            (&caller, vec![own(&[Get, WrapKey])], UnwrapKey, Denied),
            (&caller, vec![own(&[Get, WrapKey])], WrapKey, Granted),
            (&caller, vec![own(&[All])], UnwrapKey, Granted),
            (&caller, vec![of_another(&[All])], Get, Denied),
            (&caller, vec![of_another(&[Get]), own(&[Get])], Get, Granted),
            (
                &caller,
                vec![of_another(&[Get]), own(&[WrapKey])],
                Get,
                Denied,
            ),
        ] {
            assert_eq!(
                decide(caller, &policies, permission),
                decision,
                "{permission} of {policies:?}"
            );
        }
    }
}
