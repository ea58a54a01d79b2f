use serde::Deserialize;

/// The case in which an answer shows the identity type of a registry: `fidelity.identity_type_case`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityTypeCase {
    /// A small letter first, as the service writes it: `userAssigned`. As in Azure, `az acr identity assign` then also
    /// assigns the system-assigned identity.
    ///
    /// <https://github.com/Azure/azure-cli/issues/24687>
    #[default]
    Service,
    /// A capital letter first, as the specification has it: `UserAssigned`.
    Specification,
}

impl IdentityTypeCase {
    /// Returns the identity type of a registry. `None` if it has no identity.
    pub(crate) fn identity_type(
        self,
        has_system_assigned: bool,
        has_user_assigned: bool,
    ) -> Option<&'static str> {
        Some(match (self, has_system_assigned, has_user_assigned) {
            (_, false, false) => return None,
            (Self::Service, false, true) => "userAssigned",
            (Self::Service, true, false) => "systemAssigned",
            (Self::Service, true, true) => "systemAssigned, userAssigned",
            (Self::Specification, false, true) => "UserAssigned",
            (Self::Specification, true, false) => "SystemAssigned",
            (Self::Specification, true, true) => "SystemAssigned, UserAssigned",
        })
    }
}
