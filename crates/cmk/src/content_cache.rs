use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};
use sealock_core::ObjectId;
use zeroize::Zeroizing;

/// The largest content that the cache takes. Manifests and configurations are smaller.
const CONTENT_BYTES: usize = 32 * 1024;

/// The largest sum of all cached content.
const CACHE_BYTES: usize = 4 << 20;

/// The usual size of a manifest.
const USUAL_BYTES: usize = 4 << 10;

/// Small content that was decrypted with a DEK. The cache lives and dies with the DEK, so that no plaintext
/// outlives the permission to decrypt it.
pub struct ContentCache(Cache<ObjectId, Bytes, Length>);

/// Weighs content by its length.
#[derive(Clone)]
struct Length;

impl Weighter<ObjectId, Bytes> for Length {
    fn weight(&self, _: &ObjectId, content: &Bytes) -> u64 {
        // The cache never evicts an entry of weight zero.
        content.len().max(1) as u64
    }
}

impl Default for ContentCache {
    fn default() -> Self {
        let usual = CACHE_BYTES / USUAL_BYTES;
        Self(Cache::with_weighter(usual, CACHE_BYTES as u64, Length))
    }
}

impl ContentCache {
    /// Returns the content of an object, or `None` if it is not cached.
    pub fn get(&self, object: ObjectId) -> Option<Bytes> {
        self.0.get(&object)
    }

    /// Caches the content of an object if it is small. The least used content makes room for it.
    pub fn insert(&self, object: ObjectId, content: &[u8]) {
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
    fn cache_takes_small_content_and_stays_below_its_limit() {
        let cache = ContentCache::default();
        let (one, large) = (ObjectId::random(), ObjectId::random());
        cache.insert(one, b"one");
        cache.insert(large, &vec![0; CONTENT_BYTES + 1]);
        assert_eq!(cache.get(one).unwrap(), "one");
        assert_eq!(cache.get(large), None);
        for _ in 0..2 * CACHE_BYTES / CONTENT_BYTES {
            let object = ObjectId::random();
            cache.insert(object, &vec![0; CONTENT_BYTES]);
            assert!(cache.get(object).is_some());
            assert!(cache.0.weight() <= CACHE_BYTES as u64);
        }
    }
}
