use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use sealock_core::Kid;

/// The users of keys that move to each new version.
#[async_trait]
pub trait KeyFollowers: Send + Sync {
    /// Moves all users of the key to `current`, its new version. The request that made the version waits for this.
    async fn follow(&self, current: &Kid);
}

/// The registered followers. The reference is weak, since the followers may own the vault.
#[derive(Default)]
pub(crate) struct Followers(OnceLock<Weak<dyn KeyFollowers>>);

impl Followers {
    /// Sets the followers. Later calls have no effect.
    pub(crate) fn set(&self, followers: &Arc<dyn KeyFollowers>) {
        let _first = self.0.set(Arc::downgrade(followers));
    }

    pub(crate) async fn follow(&self, current: &Kid) {
        if let Some(followers) = self.0.get().and_then(Weak::upgrade) {
            followers.follow(current).await;
        }
    }
}
