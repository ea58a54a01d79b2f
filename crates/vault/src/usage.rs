use std::fmt;

/// What a key version is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Show its public half and its attributes.
    Get,
    /// Wrap another key.
    WrapKey,
    /// Unwrap what it wrapped.
    UnwrapKey,
}

/// What decides whether a key version may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionState {
    /// Whether it is enabled.
    pub enabled: bool,
}

/// Why a key version may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is disabled.
    KeyDisabled,
}

/// Decides whether a key version may be used now.
///
/// A disabled one is still shown, but neither wraps nor unwraps.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#key-attributes>
pub fn may_use(state: VersionState, usage: KeyUse) -> Result<(), Unusable> {
    match usage {
        KeyUse::Get => Ok(()),
        KeyUse::WrapKey | KeyUse::UnwrapKey if state.enabled => Ok(()),
        KeyUse::WrapKey | KeyUse::UnwrapKey => Err(Unusable::KeyDisabled),
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::WrapKey => "wrapKey",
            Self::UnwrapKey => "unwrapKey",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disabled_version_is_only_shown() {
        for (enabled, usage, verdict) in [
            (true, KeyUse::Get, Ok(())),
            (true, KeyUse::WrapKey, Ok(())),
            (true, KeyUse::UnwrapKey, Ok(())),
            (false, KeyUse::Get, Ok(())),
            (false, KeyUse::WrapKey, Err(Unusable::KeyDisabled)),
            (false, KeyUse::UnwrapKey, Err(Unusable::KeyDisabled)),
        ] {
            assert_eq!(may_use(VersionState { enabled }, usage), verdict, "{usage}");
        }
    }
}
