use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::schema::described;

/// A newtype over a random UUID, so that one kind of id is never taken for another.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new random id.
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// The id that a UUID is.
            pub fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The id itself.
            pub fn as_uuid(&self) -> Uuid {
                self.0
            }

            /// The id's 16 bytes, in network order.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        described!(
            $name,
            "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
            36
        );
    };
}

uuid_id!(
    /// A registry's immutable identity. Keys are derived from it, never from the registry's name.
    RegistryId
);
uuid_id!(
    /// An Entra tenant.
    TenantId
);
uuid_id!(
    /// Whom an access policy or role assignment names (the object id of a principal).
    PrincipalId
);
uuid_id!(
    /// Which application or managed identity a principal is (its application id).
    ClientId
);

/// The random name of a stored object: 32 lower-case hexadecimal digits. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId([u8; 16]);

impl ObjectId {
    /// A new random id.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for ObjectId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id)?;
        Ok(Self(id))
    }
}

impl TryFrom<String> for ObjectId {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.to_string()
    }
}
