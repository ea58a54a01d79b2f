//! Azure's texts that need more than a format string.

use std::net::IpAddr;

use sealock_core::{KeyName, KeyVersion, Location, VaultName};
use sealock_entra::Principal;

use crate::UnreachableReason;

pub(super) fn key_not_found(key: &KeyName, version: Option<&KeyVersion>) -> String {
    let id = match version {
        Some(version) => format!("{key}/{version}"),
        None => key.to_string(),
    };
    format!(
        "A key with (name/id) {id} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
    )
}

pub(super) fn comma_separated(sizes: &[u32]) -> String {
    let sizes: Vec<_> = sizes.iter().map(u32::to_string).collect();
    sizes.join(", ")
}

/// Formats the caller as Azure's texts name it.
pub(super) fn caller(principal: &Principal) -> String {
    format!(
        "appid={};oid={};iss=https://sts.windows.net/{}/",
        principal.client_id(),
        principal.principal_id(),
        principal.tenant_id()
    )
}

pub(super) fn unreachable(
    why: UnreachableReason,
    address: IpAddr,
    principal: &Principal,
    vault: &VaultName,
    location: &Location,
) -> String {
    let mut caller = caller(principal);
    if let Some(resource_id) = principal.resource_id() {
        caller = format!("{caller};xms_mirid={resource_id}");
    }
    let (why, address) = match why {
        UnreachableReason::PublicAccessDisabled => (
            "Public network access is disabled and request is not from a trusted service nor via an approved private link.",
            String::new(),
        ),
        UnreachableReason::AddressNotAuthorized | UnreachableReason::IdentityNotTrusted => (
            "Client address is not authorized and caller is not a trusted service.",
            format!("Client address: {address}\r\n"),
        ),
        UnreachableReason::BypassDisabled => (
            "Request was not allowed by NSP rules and the client address is not authorized and caller was ignored because bypass is set to None",
            format!("Client address: {address}\r\n"),
        ),
    };
    format!("{why}\r\n{address}Caller: {caller}\r\nVault: {vault};location={location}")
}
