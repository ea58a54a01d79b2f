use sealock_entra::Caller;

use crate::{Error, Origin, operation::Access};

/// The results of a request's access checks. Absent checks did not take place; none takes place for the operator.
#[derive(Default)]
pub(super) struct AccessChecks {
    pub(super) address: Option<bool>,
    pub(super) address_type: Option<&'static str>,
    pub(super) access_policy: Option<bool>,
    pub(super) rbac: Option<bool>,
}

impl AccessChecks {
    /// Deduces the checks from the outcome of a request: from its `error`, or its success. `rbac` is true if roles grant
    /// permissions to the vault's keys.
    pub(super) fn from_outcome(
        caller: Option<&Caller>,
        origin: Origin,
        access: Access,
        rbac: bool,
        error: Option<&Error>,
    ) -> Self {
        let is_judged = matches!(caller, Some(Caller::Principal(_)))
            && !matches!(access, Access::Management(_))
            && !matches!(origin, Origin::ResourceManager(_))
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
            address_type: match origin {
                Origin::Address(_) => Some("PublicIP"),
                Origin::TrustedService => Some("TrustedService"),
                Origin::ResourceManager(_) => None,
            },
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
