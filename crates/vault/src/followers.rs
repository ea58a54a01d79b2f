use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use sealock_core::Kid;

use crate::{Key, KeyVault, service::Service};

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

impl KeyVault {
    /// Has `followers` follow each new version of a key from now on, as long as they exist. The first ones stay.
    pub fn be_followed_by(&self, followers: &Arc<dyn KeyFollowers>) {
        let Followers(place) = &self.service.followers;
        let _ = place.set(Arc::downgrade(followers));
    }
}

impl Service {
    /// Has the followers of a key with a new version move to it.
    pub(crate) async fn followed(&self, key: Key) -> Key {
        let Followers(place) = &self.followers;
        if let Some(followers) = place.get().and_then(Weak::upgrade) {
            followers.follow(&key.current.kid).await;
        }
        key
    }
}
