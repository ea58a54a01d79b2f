use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sealock_core::Kid;
use sealock_store::Batch;

use crate::{
    Error, KeyOperation, KeyType, ReleasePolicy, Result, VaultSku,
    lookup::Tags,
    records::{TAGS, TagRecord},
    service::Service,
};

/// The maximum number of tags of a key version.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#key-tags>
const TAG_LIMIT: usize = 15;
/// The maximum number of characters in a tag's name and in its value.
const TAG_LENGTH_LIMIT: usize = 256;

/// The lifetime of a key that is only for the import of other keys.
const KEY_EXCHANGE_KEY_LIFE: SignedDuration = SignedDuration::from_hours(48);

/// The attributes of a new key version, or a change to an existing one. Absent attributes get their defaults, or keep
/// their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChange {
    /// The permitted operations.
    pub key_ops: Option<Vec<KeyOperation>>,
    /// True if it can be used.
    pub enabled: Option<bool>,
    /// The time from which it is valid.
    pub not_before: Option<Timestamp>,
    /// The time from which it is no longer valid.
    pub expires: Option<Timestamp>,
    /// True if its key is exportable. Only the first version decides this; later ones can only repeat it.
    pub exportable: Option<bool>,
    /// The new release policy of its key.
    pub release_policy: Option<ReleasePolicy>,
    /// The new tags, which replace all others.
    pub tags: Option<BTreeMap<String, String>>,
}

impl KeyChange {
    /// Checks operations and tags for a key of this type.
    pub(crate) fn check(&self, kty: KeyType) -> Result<()> {
        if let Some(operations) = &self.key_ops {
            KeyOperation::check(operations, kty)?;
        }
        if let Some(tags) = &self.tags {
            tags_are_within_limits(tags)?;
        }
        Ok(())
    }
}

/// Checks the number and the length of tags.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#key-tags>
fn tags_are_within_limits(tags: &Tags) -> Result<()> {
    if tags.len() > TAG_LIMIT {
        return Err(Error::TagsInvalid {
            why: format!("give at most {TAG_LIMIT} tags, not {}", tags.len()),
        });
    }
    let is_long = |text: &String| text.chars().count() > TAG_LENGTH_LIMIT;
    if tags
        .iter()
        .any(|(name, value)| is_long(name) || is_long(value))
    {
        return Err(Error::TagsInvalid {
            why: format!("give names and values of at most {TAG_LENGTH_LIMIT} characters each"),
        });
    }
    Ok(())
}

/// Only vaults of the premium tier have keys in hardware. The text is Azure's:
/// <https://github.com/MicrosoftDocs/azure-docs/issues/63888>
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys#key-types-and-protection-methods>
pub(crate) fn hardware_keys_are_premium(sku: VaultSku, kty: KeyType) -> Result<()> {
    if sku == VaultSku::Standard && kty.is_hardware() {
        return Err(Error::HardwareKeyInStandardVault);
    }
    Ok(())
}

/// Returns the expiry of a version. A key that is only for the import of other keys expires after two days by default.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/byok-specification>
pub(crate) fn key_exchange_keys_expire(
    key_ops: &[KeyOperation],
    expires: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    match (key_ops, expires) {
        ([KeyOperation::Import], None) => now.checked_add(KEY_EXCHANGE_KEY_LIFE).ok(),
        _ => expires,
    }
}

impl Service {
    /// Adds to `batch` the replacement of a version's tags.
    pub(crate) fn put_tags(kid: &Kid, tags: &Tags, mut batch: Batch) -> Batch {
        let mut tags = tags.iter();
        for number in 0..TAG_LIMIT {
            let number = format!("{number:02}");
            let key = [
                kid.vault.as_str(),
                kid.key.folded(),
                kid.version.as_str(),
                &number,
            ];
            batch = match tags.next() {
                Some((name, value)) => {
                    let tag = TagRecord {
                        name: name.clone(),
                        value: value.clone(),
                    };
                    batch.put(&TAGS, &key, &tag)
                }
                None => batch.delete(&TAGS, &key),
            };
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_and_too_long_tags_are_refused() {
        let tags = |count: usize, length: usize| -> Tags {
            (0..count)
                .map(|n| (format!("{n:0>length$}"), "é".repeat(length)))
                .collect()
        };
        assert!(tags_are_within_limits(&tags(15, 256)).is_ok());
        let why = |tags: &Tags| match tags_are_within_limits(tags) {
            Err(Error::TagsInvalid { why }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(&tags(16, 1)), "give at most 15 tags, not 16");
        assert!(why(&tags(1, 257)).contains("at most 256 characters"));
    }

    #[test]
    fn keys_for_import_alone_expire_after_two_days() {
        use KeyOperation::{Import, WrapKey};
        let now = Timestamp::UNIX_EPOCH;
        let later = Timestamp::from_second(172_800).ok();
        assert_eq!(key_exchange_keys_expire(&[Import], None, now), later);
        assert_eq!(key_exchange_keys_expire(&[WrapKey], None, now), None);
        let given = Timestamp::from_second(9).ok();
        assert_eq!(key_exchange_keys_expire(&[Import], given, now), given);
    }
}
