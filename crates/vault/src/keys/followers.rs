use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use sealock_core::Kid;

/// The users of keys that take each new version.
#[async_trait]
pub trait KeyFollowers: Send + Sync {
    /// Moves each user that follows the key to `current`, its new version. The request that made the version is
    /// answered after that.
    async fn follow(&self, current: &Kid);
}

/// The followers, once there are some. They may own the vault, which does not own them.
#[derive(Default)]
pub(crate) struct Followers(OnceLock<Weak<dyn KeyFollowers>>);

impl Followers {
    /// Sets the followers. The first ones stay.
    pub(crate) fn set(&self, followers: &Arc<dyn KeyFollowers>) {
        let _first = self.0.set(Arc::downgrade(followers));
    }

    pub(crate) async fn follow(&self, current: &Kid) {
        if let Some(followers) = self.0.get().and_then(Weak::upgrade) {
            followers.follow(current).await;
        }
    }
}
