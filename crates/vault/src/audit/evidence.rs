use sealock_entra::Caller;

use crate::{Error, Origin, operation::Access};

/// The checks that decided about a request, as far as its outcome tells. None decides about the operator.
#[derive(Default)]
pub(super) struct Evidence {
    pub(super) address: Option<bool>,
    pub(super) address_type: Option<&'static str>,
    pub(super) access_policy: Option<bool>,
    pub(super) rbac: Option<bool>,
}

impl Evidence {
    /// `caller` asked from `origin` with this access, and was refused with `error`, if at all. `rbac` is true if roles
    /// decide about the vault's keys.
    pub(super) fn of(
        caller: Option<&Caller>,
        origin: Origin,
        access: Access,
        rbac: bool,
        error: Option<&Error>,
    ) -> Self {
        let is_judged = matches!(caller, Some(Caller::Principal(_)))
            && !matches!(access, Access::Operator(_))
            && !matches!(
                error,
                Some(
                    Error::VaultNotFound { .. }
                        | Error::VaultDeleted { .. }
                        | Error::Throttled { .. }
                )
            );
        if !is_judged {
            return Self::default();
        }
        if matches!(error, Some(Error::Unreachable { .. })) {
            return Self {
                address: Some(false),
                ..Self::default()
            };
        }
        let reached = Self {
            address: Some(true),
            address_type: Some(match origin {
                Origin::Address(_) => "PublicIP",
                Origin::TrustedService => "TrustedService",
            }),
            ..Self::default()
        };
        if access == Access::Network {
            return reached;
        }
        let is_permitted = !matches!(
            error,
            Some(Error::ForbiddenByPolicy { .. } | Error::ForbiddenByRbac { .. })
        );
        Self {
            access_policy: (!rbac).then_some(is_permitted),
            rbac: rbac.then_some(is_permitted),
            ..reached
        }
    }
}
