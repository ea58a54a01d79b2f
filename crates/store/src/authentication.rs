use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Authenticates everything that the store writes, to detect any change made without the service key.
///
/// Each use has its own label, so that a tag is valid for one use only.
#[derive(Clone)]
pub struct Authenticator(Hmac<Sha256>);

/// An authentication tag: the first half of an HMAC-SHA256 (RFC 2104, section 5).
pub(crate) type Tag = [u8; TAG_LEN];

pub(crate) const TAG_LEN: usize = 16;

/// The use of a tag.
#[derive(Clone, Copy)]
pub(crate) enum Label {
    Record = 1,
    LogEntry = 2,
    LogHeader = 3,
    Newest = 4,
    Copy = 5,
    Format = 6,
    RepairPlan = 7,
}

impl Authenticator {
    /// Creates an authenticator. Its `key` must have no other use.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes any key"))
    }

    /// Returns the tag of `parts`. The tag covers their lengths, and thus the boundaries between them.
    pub(crate) fn tag(&self, label: Label, parts: &[&[u8]]) -> Tag {
        let mut mac = self.0.clone();
        mac.update(&[label as u8]);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG_LEN]);
        tag
    }

    pub(crate) fn is_tag(&self, tag: &[u8], label: Label, parts: &[&[u8]]) -> bool {
        self.tag(label, parts).ct_eq(tag).into()
    }

    /// Returns the value of a record, preceded by its tag.
    pub(crate) fn seal(&self, key: &[u8], value: &[u8]) -> Vec<u8> {
        let tag = self.tag(Label::Record, &[key, value]);
        [tag.as_slice(), value].concat()
    }

    /// Returns the value of a sealed record; `None` if its tag is not valid for `key`.
    pub(crate) fn open<'a>(&self, key: &[u8], sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (tag, value) = sealed.split_at_checked(TAG_LEN)?;
        self.is_tag(tag, Label::Record, &[key, value])
            .then_some(value)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}
