use crate::KeyOperation;

const KEYS_API_VERSION: &str = "7.4";
const VAULTS_API_VERSION: &str = "2023-07-01";

/// An operation, as the log tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    VaultPut,
    VaultGet,
    VaultPatch,
    VaultDelete,
    VaultRecover,
    VaultPurge,
    PoliciesGrant,
    PoliciesRevoke,
    Authentication,
    KeyCreate,
    KeyImport,
    KeyGet,
    KeyList,
    KeyListVersions,
    KeyUpdate,
    KeyDelete,
    KeyGetDeleted,
    KeyListDeleted,
    KeyRecover,
    KeyPurge,
    KeyBackup,
    KeyRestore,
    KeyRotate,
    KeyRotateIfDue,
    KeyRotationPolicyGet,
    KeyRotationPolicySet,
    KeyNearExpiry,
    KeyExpired,
    KeyEncrypt,
    KeyDecrypt,
    KeyWrap,
    KeyUnwrap,
    KeySign,
    KeyVerify,
    KeyRelease,
    RandomBytesGet,
}

impl Operation {
    /// The use of a key for this.
    pub(crate) fn using(operation: KeyOperation) -> Self {
        match operation {
            KeyOperation::Encrypt => Self::KeyEncrypt,
            KeyOperation::Decrypt => Self::KeyDecrypt,
            KeyOperation::Sign => Self::KeySign,
            KeyOperation::Verify => Self::KeyVerify,
            KeyOperation::WrapKey => Self::KeyWrap,
            KeyOperation::UnwrapKey => Self::KeyUnwrap,
            KeyOperation::Import => Self::KeyImport,
            KeyOperation::Export => Self::KeyRelease,
        }
    }

    /// Azure's name for it.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/general/logging#interpret-your-key-vault-logs>
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::VaultPatch | Self::PoliciesGrant | Self::PoliciesRevoke => "VaultPatch",
            Self::KeyNearExpiry => "KeyNearExpiryEventGridNotification",
            Self::KeyExpired => "KeyExpiredEventGridNotification",
            Self::VaultPut => "VaultPut",
            Self::VaultGet => "VaultGet",
            Self::VaultDelete => "VaultDelete",
            Self::VaultRecover => "VaultRecover",
            Self::VaultPurge => "VaultPurge",
            Self::Authentication => "Authentication",
            Self::KeyCreate => "KeyCreate",
            Self::KeyImport => "KeyImport",
            Self::KeyGet => "KeyGet",
            Self::KeyList => "KeyList",
            Self::KeyListVersions => "KeyListVersions",
            Self::KeyUpdate => "KeyUpdate",
            Self::KeyDelete => "KeyDelete",
            Self::KeyGetDeleted => "KeyGetDeleted",
            Self::KeyListDeleted => "KeyListDeleted",
            Self::KeyRecover => "KeyRecover",
            Self::KeyPurge => "KeyPurge",
            Self::KeyBackup => "KeyBackup",
            Self::KeyRestore => "KeyRestore",
            Self::KeyRotate => "KeyRotate",
            Self::KeyRotateIfDue => "KeyRotateIfDue",
            Self::KeyRotationPolicyGet => "KeyRotationPolicyGet",
            Self::KeyRotationPolicySet => "KeyRotationPolicySet",
            Self::KeyEncrypt => "KeyEncrypt",
            Self::KeyDecrypt => "KeyDecrypt",
            Self::KeyWrap => "KeyWrap",
            Self::KeyUnwrap => "KeyUnwrap",
            Self::KeySign => "KeySign",
            Self::KeyVerify => "KeyVerify",
            Self::KeyRelease => "KeyRelease",
            Self::RandomBytesGet => "RandomBytesGet",
        }
    }

    /// The end of its URL, behind the key's.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::KeyCreate => "/create",
            Self::KeyListVersions => "/versions",
            Self::KeyBackup => "/backup",
            Self::KeyRestore => "/restore",
            Self::KeyRotate => "/rotate",
            Self::KeyRotationPolicyGet | Self::KeyRotationPolicySet => "/rotationpolicy",
            Self::KeyEncrypt => "/encrypt",
            Self::KeyDecrypt => "/decrypt",
            Self::KeyWrap => "/wrapkey",
            Self::KeyUnwrap => "/unwrapkey",
            Self::KeySign => "/sign",
            Self::KeyVerify => "/verify",
            Self::KeyRelease => "/release",
            _ => "",
        }
    }

    pub(crate) fn api_version(self) -> &'static str {
        match self {
            Self::VaultPut
            | Self::VaultGet
            | Self::VaultPatch
            | Self::VaultDelete
            | Self::VaultRecover
            | Self::VaultPurge
            | Self::PoliciesGrant
            | Self::PoliciesRevoke => VAULTS_API_VERSION,
            _ => KEYS_API_VERSION,
        }
    }

    /// The status of its success.
    pub(crate) fn success(self) -> u16 {
        match self {
            Self::KeyPurge => 204,
            Self::VaultPurge => 202,
            _ => 200,
        }
    }
}
