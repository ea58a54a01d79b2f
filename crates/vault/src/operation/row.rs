use sealock_core::{KeyIdentifier, PublicName, VaultName};
use sealock_entra::TrackedResource;

use crate::{
    KeyPermission,
    arm_id::{arm_id, deleted_id},
    throttling::RequestType,
};

const KEYS_API_VERSION: &str = "7.4";
const VAULTS_API_VERSION: &str = "2023-07-01";

/// The row of a request whose token was refused.
pub(crate) const AUTHENTICATION: Row = Row::new("Authentication", Url::Vault(""));

/// An operation's data for the audit log and the limits.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Azure's name of the operation.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/general/logging#interpret-your-key-vault-logs>
    pub(crate) name: &'static str,
    url: Url,
    pub(crate) access: Access,
    /// The HTTP status of a success.
    pub(crate) success: u16,
    pub(crate) request_type: RequestType,
    /// True if the weight of a request depends on the key that it creates.
    pub(crate) is_charged_by_new_key: bool,
    /// True if the emulator's clock requests the operation. A concurrent change then makes it obsolete, and it leaves no
    /// audit event.
    pub(crate) is_scheduled: bool,
}

/// The access that an operation requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// An action of Resource Manager, which the operator and Resource Manager's authorized callers may do.
    Management(&'static str),
    /// A permission to the vault's keys, by access policy or role.
    Permission(KeyPermission),
    /// Network access to the vault.
    Network,
}

/// The URL of an operation in Azure: a base and the rest of the path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Url {
    /// The vault in Resource Manager, or all vaults.
    Arm(&'static str),
    /// A deleted vault in Resource Manager.
    DeletedVault(&'static str),
    /// The vault's host.
    Vault(&'static str),
    /// The keys of the vault.
    Keys(&'static str),
    /// The deleted keys of the vault.
    DeletedKeys,
    /// A key or key version.
    Key(&'static str),
    /// A deleted key.
    DeletedKey(&'static str),
}

impl Row {
    pub(super) const fn new(name: &'static str, url: Url) -> Self {
        Self {
            name,
            url,
            access: Access::Network,
            success: 200,
            request_type: RequestType::Other,
            is_charged_by_new_key: false,
            is_scheduled: false,
        }
    }

    pub(super) const fn requiring(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    pub(super) const fn answering(mut self, success: u16) -> Self {
        self.success = success;
        self
    }

    pub(super) const fn counted_as(mut self, request_type: RequestType) -> Self {
        self.request_type = request_type;
        self
    }

    pub(super) const fn charged_by_new_key(mut self) -> Self {
        self.is_charged_by_new_key = true;
        self
    }

    pub(super) const fn scheduled(mut self) -> Self {
        self.is_scheduled = true;
        self
    }

    /// Returns the API version for the audit events of requests that name none.
    pub(crate) fn api_version(&self) -> &'static str {
        match self.url {
            Url::Arm(_) | Url::DeletedVault(_) => VAULTS_API_VERSION,
            _ => KEYS_API_VERSION,
        }
    }

    /// Returns the id of the target: the URL of a key or of the vault's keys, or an ARM id.
    pub(crate) fn id(
        &self,
        names: &PublicName,
        vault: Option<&VaultName>,
        key: Option<&KeyIdentifier>,
        place: &TrackedResource,
    ) -> String {
        match (self.url, vault, key) {
            (_, _, Some(key)) => names.key_uri(key),
            (Url::Keys(_) | Url::DeletedKeys, Some(vault), None) => {
                format!("{}keys", names.vault_uri(vault))
            }
            _ => arm_id(vault, place),
        }
    }

    /// Returns the URL of a request, without its query.
    pub(crate) fn request_uri(
        &self,
        names: &PublicName,
        vault: Option<&VaultName>,
        key: Option<&KeyIdentifier>,
        place: &TrackedResource,
    ) -> String {
        let on_host = |path: &str| vault.map(|it| format!("{}{path}", names.vault_uri(it)));
        let uri = match self.url {
            Url::Arm(rest) => {
                let id = arm_id(vault, place);
                Some(format!("https://management.{names}{id}{rest}"))
            }
            Url::DeletedVault(rest) => vault.map(|vault| {
                let id = deleted_id(vault, place);
                format!("https://management.{names}{id}{rest}")
            }),
            Url::Vault(path) => on_host(path),
            Url::Keys(rest) => on_host(&format!("keys{rest}")),
            Url::DeletedKeys => on_host("deletedkeys"),
            Url::Key(rest) => key.map(|key| format!("{}{rest}", names.key_uri(key))),
            Url::DeletedKey(rest) => {
                key.map(|it| format!("{}{rest}", names.deleted_key_uri(&it.vault, &it.key)))
            }
        };
        uri.unwrap_or_default()
    }
}
