use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};
use sealock_core::ObjectId;
use zeroize::Zeroizing;

/// The largest content that is kept. Manifests and configurations are smaller.
const CONTENT_BYTES: usize = 32 * 1024;

/// The sum of what is kept at most.
const KEPT_BYTES: usize = 4 << 20;

/// The usual size of a manifest.
const USUAL_BYTES: usize = 4 << 10;

/// Small content that was opened with a DEK. It lives beside the DEK and goes with it, so that nothing
/// that was opened outlives the permission to open it.
pub struct Opened(Cache<ObjectId, Bytes, Length>);

/// Weighs content by its length.
#[derive(Clone)]
struct Length;

impl Weighter<ObjectId, Bytes> for Length {
    fn weight(&self, _: &ObjectId, content: &Bytes) -> u64 {
        // What weighs nothing would never make room.
        content.len().max(1) as u64
    }
}

impl Default for Opened {
    fn default() -> Self {
        let usual = KEPT_BYTES / USUAL_BYTES;
        Self(Cache::with_weighter(usual, KEPT_BYTES as u64, Length))
    }
}

impl Opened {
    /// The content of an object, if it is kept.
    pub fn get(&self, object: ObjectId) -> Option<Bytes> {
        self.0.get(&object)
    }

    /// Keeps the content of an object if it is small. What was asked for least makes room for it.
    pub fn keep(&self, object: ObjectId, content: &[u8]) {
        if content.len() <= CONTENT_BYTES {
            let content = Bytes::from_owner(Zeroizing::new(content.to_vec()));
            self.0.insert(object, content);
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
        for _ in 0..2 * KEPT_BYTES / CONTENT_BYTES {
            let object = ObjectId::random();
            opened.keep(object, &vec![0; CONTENT_BYTES]);
            assert!(opened.get(object).is_some());
            assert!(opened.0.weight() <= KEPT_BYTES as u64);
        }
    }
}
