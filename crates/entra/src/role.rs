use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Error;

/// A built-in role. What it permits is decided by the service that is called.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Delete images of a registry.
    AcrDelete,
    /// Pull images from a registry.
    AcrPull,
    /// Push images to a registry, and pull them.
    AcrPush,
    /// Everything but to assign roles.
    Contributor,
    /// Everything.
    Owner,
    /// Read everything.
    Reader,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AcrDelete,
        Self::AcrPull,
        Self::AcrPush,
        Self::Contributor,
        Self::Owner,
        Self::Reader,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AcrDelete => "AcrDelete",
            Self::AcrPull => "AcrPull",
            Self::AcrPush => "AcrPush",
            Self::Contributor => "Contributor",
            Self::Owner => "Owner",
            Self::Reader => "Reader",
        }
    }

    /// The name of its role definition, the same in every tenant.
    ///
    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/containers>,
    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged>,
    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/general>
    pub const fn definition_id(self) -> &'static str {
        match self {
            Self::AcrDelete => "c2f4ef07-c644-48eb-af81-4b1b4947fb11",
            Self::AcrPull => "7f951dda-4ed3-4680-a7ca-43fe172d538d",
            Self::AcrPush => "8311e382-0749-4cb8-b61a-304f252e45ec",
            Self::Contributor => "b24988ac-6180-42a0-ab88-20f7382dd24c",
            Self::Owner => "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            Self::Reader => "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        }
    }
}

/// By its name, in any case, or by the name of its definition.
impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|role| {
                [role.as_str(), role.definition_id()]
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(text))
            })
            .ok_or_else(|| Error::RoleUnknown(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_known_by_its_name_and_its_definition() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
            assert_eq!(role.definition_id().parse::<Role>().unwrap(), role);
            let lower = role.as_str().to_ascii_lowercase();
            assert_eq!(lower.parse::<Role>().unwrap(), role);
        }
        assert!("".parse::<Role>().is_err() && "AcrPul".parse::<Role>().is_err());
    }
}
