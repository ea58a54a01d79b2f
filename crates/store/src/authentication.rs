use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Authenticates what the store writes: whoever edits it without the service key is found out.
///
/// Each use has a label of its own, so that no tag of one can be taken for one of another.
#[derive(Clone)]
pub struct Authenticator(Hmac<Sha256>);

/// What authenticates some bytes: the first half of an HMAC-SHA256 (RFC 2104, section 5).
pub(crate) type Tag = [u8; TAG_LEN];

pub(crate) const TAG_LEN: usize = 16;

/// What a tag is for.
#[derive(Clone, Copy)]
pub(crate) enum Label {
    Record = 1,
    LogEntry = 2,
    LogHeader = 3,
    Newest = 4,
    Copy = 5,
    Format = 6,
    Plan = 7,
}

impl Authenticator {
    /// One that works with `key`, which nothing else uses.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes any key"))
    }

    /// The tag of `parts`, which are told apart by their lengths.
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

    /// A record's value with its tag before it.
    pub(crate) fn seal(&self, key: &[u8], value: &[u8]) -> Vec<u8> {
        let tag = self.tag(Label::Record, &[key, value]);
        [tag.as_slice(), value].concat()
    }

    /// The value that was sealed, if it is the one of `key`.
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
