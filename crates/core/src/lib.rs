//! The identifiers that all crates share, and the clock.
//!
//! An identifier is parsed once, at the edge, and is valid from then on: a [`VaultName`] is a vault name that Azure
//! would accept. An error quotes an invalid one as an [`excerpt()`]. Nothing here does I/O or knows a service.

mod chosen_key;
mod clock;
mod digest;
mod excerpt;
mod ids;
mod key_identifier;
mod key_name;
mod names;
mod network;
mod public_name;
mod region;
mod schema;

pub use chosen_key::ChosenKey;
pub use clock::{Clock, ClockOutOfRange, ClockSetting, Reading, SystemTime, TICK, TimeSource};
pub use digest::{Algorithm, Digest, InvalidDigest};
pub use excerpt::excerpt;
pub use ids::{ClientId, ObjectId, PrincipalId, RegistryId, TenantId};
pub use key_identifier::{InvalidKeyIdentifier, KeyIdentifier, Kid};
pub use key_name::KeyName;
pub use names::{
    ApplicationName, IdentityName, InvalidName, KeyVersion, Location, RegistryName,
    ResourceGroupName, ScopeMapName, TokenName, VaultName,
};
pub use network::{Bypass, DefaultAction, InvalidIpRange, IpRange, NetworkRules};
pub use public_name::{InvalidPublicName, PublicName};
pub use region::Region;
