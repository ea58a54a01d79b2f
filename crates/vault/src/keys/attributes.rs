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

/// How many tags a key version can have, and how many characters each name and value.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#key-tags>
const TAG_LIMIT: usize = 15;
const TAG_LENGTH_LIMIT: usize = 256;

/// How long a key lives that is there to import others.
const KEY_EXCHANGE_KEY_LIFE: SignedDuration = SignedDuration::from_hours(48);

/// What is said of a key version when it is made or updated. What is not said stays, or is by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChange {
    /// What it is for.
    pub key_ops: Option<Vec<KeyOperation>>,
    /// Whether it can be used.
    pub enabled: Option<bool>,
    /// From when on.
    pub not_before: Option<Timestamp>,
    /// Until when.
    pub expires: Option<Timestamp>,
    /// Whether its key is exportable. Only the first version can say otherwise.
    pub exportable: Option<bool>,
    /// Its key's release policy, instead of the one that it had.
    pub release_policy: Option<ReleasePolicy>,
    /// Its tags, instead of those that it had.
    pub tags: Option<BTreeMap<String, String>>,
}

impl KeyChange {
    /// Checks it for a key of this type.
    pub(crate) fn check(&self, kty: KeyType) -> Result<()> {
        if let Some(operations) = &self.key_ops {
            KeyOperation::check(operations, kty)?;
        }
        if let Some(tags) = &self.tags {
            tags_are_few_and_short(tags)?;
        }
        Ok(())
    }
}

/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#key-tags>
fn tags_are_few_and_short(tags: &Tags) -> Result<()> {
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

/// Keys in hardware are for vaults of the premium tier. The text is Azure's:
/// <https://github.com/MicrosoftDocs/azure-docs/issues/63888>
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys#key-types-and-protection-methods>
pub(crate) fn hardware_keys_are_premium(sku: VaultSku, kty: KeyType) -> Result<()> {
    if sku == VaultSku::Standard && kty.is_hardware() {
        return Err(Error::HardwareKeyInStandardVault);
    }
    Ok(())
}

/// A key that is there to import others lives two days.
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
    /// Adds to `batch` that the version has these tags, and no others.
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
    fn tags_are_bounded() {
        let tags = |count: usize, length: usize| -> Tags {
            (0..count)
                .map(|n| (format!("{n:0>length$}"), "é".repeat(length)))
                .collect()
        };
        assert!(tags_are_few_and_short(&tags(15, 256)).is_ok());
        let why = |tags: &Tags| match tags_are_few_and_short(tags) {
            Err(Error::TagsInvalid { why }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(&tags(16, 1)), "give at most 15 tags, not 16");
        assert!(why(&tags(1, 257)).contains("at most 256 characters"));
    }

    #[test]
    fn a_key_for_import_alone_lives_two_days() {
        use KeyOperation::{Import, WrapKey};
        let now = Timestamp::UNIX_EPOCH;
        let later = Timestamp::from_second(172_800).ok();
        assert_eq!(key_exchange_keys_expire(&[Import], None, now), later);
        assert_eq!(key_exchange_keys_expire(&[WrapKey], None, now), None);
        let given = Timestamp::from_second(9).ok();
        assert_eq!(key_exchange_keys_expire(&[Import], given, now), given);
    }
}
