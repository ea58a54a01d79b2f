//! Access to the vaults: requesters, the firewall, permissions, and the access policies and roles that grant them.

mod access;
mod network;
mod permission;
mod policies;
mod policy_permissions;
mod requester;
mod roles;
mod users;

pub(crate) use self::{network::IP_RULE_LIMIT, policies::at_most_1024_policies};
pub use self::{
    network::{IpRule, TrustedServices, UnreachableReason, VirtualNetworkRule, may_reach},
    permission::KeyPermission,
    policy_permissions::{ContentKind, PermissionNames, PolicyPermissions},
    requester::{Client, Origin, Requester},
    users::{Grant, KeyUser},
};
