use jiff::Timestamp;

use crate::KeyOperation;

/// What decides whether a key version may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionState<'a> {
    /// Whether it is enabled.
    pub enabled: bool,
    /// From when on it is valid, `nbf`.
    pub not_before: Option<Timestamp>,
    /// Until when it is valid, `exp`.
    pub expires: Option<Timestamp>,
    /// What it is for.
    pub key_ops: &'a [KeyOperation],
}

/// Why a key version may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is disabled.
    Disabled,
    /// It is not for this.
    OperationForbidden,
    /// Its time has not come.
    NotYetValid,
    /// Its time is over.
    Expired,
}

/// Decides whether a key version may be used for `operation` at `now`.
///
/// Its time matters only to what makes something new: what it once encrypted or signed can be decrypted
/// and verified before and after it, too.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#date-time-controlled-operations>
pub fn may_use(
    state: VersionState<'_>,
    operation: KeyOperation,
    now: Timestamp,
) -> Result<(), Unusable> {
    if !state.enabled {
        return Err(Unusable::Disabled);
    }
    if !state.key_ops.contains(&operation) {
        return Err(Unusable::OperationForbidden);
    }
    let makes_something_new = matches!(
        operation,
        KeyOperation::Encrypt | KeyOperation::Sign | KeyOperation::WrapKey
    );
    if !makes_something_new {
        return Ok(());
    }
    if state.not_before.is_some_and(|start| now < start) {
        return Err(Unusable::NotYetValid);
    }
    if state.expires.is_some_and(|end| end <= now) {
        return Err(Unusable::Expired);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [KeyOperation; 6] = [
        KeyOperation::Encrypt,
        KeyOperation::Decrypt,
        KeyOperation::Sign,
        KeyOperation::Verify,
        KeyOperation::WrapKey,
        KeyOperation::UnwrapKey,
    ];

    /// Whether each of [`ALL`] is served, and why not.
    fn verdicts(state: VersionState<'_>) -> [Result<(), Unusable>; 6] {
        ALL.map(|operation| may_use(state, operation, Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn a_version_is_used_as_its_state_says() {
        use Unusable::{Disabled, Expired, NotYetValid, OperationForbidden};
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let state = VersionState {
            enabled: true,
            not_before: None,
            expires: None,
            key_ops: &ALL,
        };
        let only_new = |why| [Err(why), Ok(()), Err(why), Ok(()), Err(why), Ok(())];
        for (changed, expected) in [
            (state, [Ok(()); 6]),
            (
                VersionState {
                    enabled: false,
                    ..state
                },
                [Err(Disabled); 6],
            ),
            (
                VersionState {
                    enabled: false,
                    key_ops: &[],
                    expires: at(0),
                    ..state
                },
                [Err(Disabled); 6],
            ),
            (
                VersionState {
                    key_ops: &[],
                    expires: at(0),
                    ..state
                },
                [Err(OperationForbidden); 6],
            ),
            (
                VersionState {
                    not_before: at(1),
                    ..state
                },
                only_new(NotYetValid),
            ),
            (
                VersionState {
                    not_before: at(0),
                    expires: at(1),
                    ..state
                },
                [Ok(()); 6],
            ),
            (
                VersionState {
                    expires: at(0),
                    ..state
                },
                only_new(Expired),
            ),
        ] {
            assert_eq!(verdicts(changed), expected, "{changed:?}");
        }
        let unwraps = VersionState {
            key_ops: &[KeyOperation::UnwrapKey],
            ..state
        };
        let refused = Err(OperationForbidden);
        assert_eq!(
            verdicts(unwraps),
            [refused, refused, refused, refused, refused, Ok(())]
        );
    }
}
