use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use sealock_core::ObjectId;
use zeroize::Zeroizing;

/// How large content may be to be kept. Manifests and configurations are smaller.
const CONTENT_BYTES: usize = 32 * 1024;

/// How much is kept in all.
const KEPT_BYTES: usize = 4 << 20;

/// Small content that was opened with a DEK. It lives beside the DEK and goes with it, so that nothing
/// that was opened outlives the permission to open it.
#[derive(Default)]
pub struct Opened(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    contents: HashMap<ObjectId, Bytes>,
    bytes: usize,
}

impl Opened {
    /// The content of an object, if it is kept.
    pub fn get(&self, object: ObjectId) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.contents.get(&object).cloned()
    }

    /// Keeps the content of an object if it is small. Once there is too much, it begins anew.
    pub fn keep(&self, object: ObjectId, content: &[u8]) {
        if content.len() > CONTENT_BYTES {
            return;
        }
        let content = Bytes::from_owner(Zeroizing::new(content.to_vec()));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + content.len() > KEPT_BYTES {
            *kept = Kept::default();
        }
        kept.bytes += content.len();
        if let Some(known) = kept.contents.insert(object, content) {
            kept.bytes -= known.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_content_is_kept_and_never_too_much_of_it() {
        let opened = Opened::default();
        let (one, large) = (ObjectId::random(), ObjectId::random());
        opened.keep(one, b"one");
        opened.keep(large, &vec![0; CONTENT_BYTES + 1]);
        assert_eq!(opened.get(one).unwrap(), "one");
        assert_eq!(opened.get(large), None);
        for _ in 0..KEPT_BYTES / CONTENT_BYTES {
            opened.keep(ObjectId::random(), &vec![0; CONTENT_BYTES]);
            let kept = opened.0.lock().unwrap();
            let bytes: usize = kept.contents.values().map(Bytes::len).sum();
            assert!(kept.bytes == bytes && bytes <= KEPT_BYTES);
        }
        assert_eq!(opened.get(one), None);
    }
}
