//! Access to the vaults: requesters, the firewall, permissions, and the access policies and roles that grant them.

mod access;
mod network;
mod permission;
mod policies;
mod requester;
mod roles;

pub(crate) use self::network::IP_RULE_LIMIT;
pub use self::{
    network::{Bypass, DefaultAction, IpRule, NetworkRules, UnreachableReason, may_reach},
    permission::KeyPermission,
    requester::{Client, Origin, Requester},
};
