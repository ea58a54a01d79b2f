use serde::{Deserialize, Serialize};

use crate::Error;

/// The changeable attributes of a repository, a tag or a manifest: the operations that it permits.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-image-lock>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "they are Azure's")]
pub(crate) struct Attributes {
    pub(crate) delete_enabled: bool,
    pub(crate) write_enabled: bool,
    pub(crate) read_enabled: bool,
    pub(crate) list_enabled: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            delete_enabled: true,
            write_enabled: true,
            read_enabled: true,
            list_enabled: true,
        }
    }
}

/// A change of attributes. Attributes that it does not name stay.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "they are Azure's")]
pub(crate) struct AttributesChange {
    delete_enabled: Option<bool>,
    write_enabled: Option<bool>,
    read_enabled: Option<bool>,
    list_enabled: Option<bool>,
}

impl Attributes {
    pub(crate) fn check_readable(self) -> Result<(), Error> {
        require(self.read_enabled)
    }

    pub(crate) fn check_writable(self) -> Result<(), Error> {
        require(self.write_enabled)
    }

    /// Checks that no attribute forbids deletion: `writeEnabled` forbids it, too.
    pub(crate) fn check_deletable(self) -> Result<(), Error> {
        require(self.write_enabled && self.delete_enabled)
    }

    pub(crate) fn with(self, change: AttributesChange) -> Self {
        Self {
            delete_enabled: change.delete_enabled.unwrap_or(self.delete_enabled),
            write_enabled: change.write_enabled.unwrap_or(self.write_enabled),
            read_enabled: change.read_enabled.unwrap_or(self.read_enabled),
            list_enabled: change.list_enabled.unwrap_or(self.list_enabled),
        }
    }
}

fn require(is_enabled: bool) -> Result<(), Error> {
    if is_enabled {
        Ok(())
    } else {
        Err(Error::DisallowedOperation)
    }
}
