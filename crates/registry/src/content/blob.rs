use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use sealock_core::Digest;
use sealock_store::{Batch, Record, Table};
use serde::{Deserialize, Serialize};

use super::{object::Content, uncommitted::UncommittedContent};
use crate::{Error, Registry, RepositoryName};

/// The blobs of each repository.
pub(crate) const BLOBS: Table<BlobRecord> = Table::content("blobs");

/// The time for which an unreferenced blob stays after a client requested it: the client may be about to push a
/// manifest that refers to it.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// The limit of repositories searched for a blob to mount if the client names none. If the search fails, the client
/// pushes the blob.
const MOUNT_SEARCH_LIMIT: usize = 1000;

/// The age at which the time of the last request is recorded again. Not every request writes.
const RENEWAL: SignedDuration = SignedDuration::from_mins(30);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobRecord {
    /// The time at which a client was last told that the blob exists.
    requested: Timestamp,
}

impl BlobRecord {
    /// Returns true if no client counts on the blob any more.
    pub(crate) fn is_idle(&self, now: Timestamp) -> bool {
        // The recorded time may be older than the last request by `RENEWAL`.
        self.is_older(now, GRACE + RENEWAL)
    }

    fn is_older(&self, now: Timestamp, age: SignedDuration) -> bool {
        now.duration_since(self.requested) >= age
    }
}

impl Registry {
    /// Opens the blob `digest` of `repository`.
    pub(crate) async fn open_blob(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Content, Error> {
        let unknown = || Error::BlobUnknown(digest);
        if self.blob_record(repository, &digest).await?.is_none() {
            return Err(unknown());
        }
        self.repository_attributes(repository)
            .await?
            .check_readable()?;
        let record = self.content_record(&digest).await?.ok_or_else(unknown)?;
        self.open_content(digest, &record)
            .await?
            .ok_or_else(unknown)
    }

    pub(crate) async fn has_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Error> {
        Ok(self.blob_record(repository, digest).await?.is_some())
    }

    pub(crate) async fn blob_record(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Record<BlobRecord>>, Error> {
        let key = digest.to_string();
        Ok(self
            .store
            .get(&BLOBS, &[&self.id, repository.as_str(), &key])
            .await?)
    }

    /// Records that a client was told of a blob, and so may soon refer to it.
    pub(crate) async fn renew_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let renewal = async || match self.blob_record(repository, digest).await? {
            Some(record) => Ok(self.renewal(repository, digest, &record)),
            None => Err(Error::BlobUnknown(*digest)),
        };
        // Most requests have nothing to record.
        if renewal().await?.is_empty() {
            return Ok(());
        }
        let renewed = self
            .store
            .update(|| async { Ok::<_, Error>((renewal().await?, ())) });
        renewed.await
    }

    /// Returns a batch that records the request of a blob. It is empty if a recent request is recorded.
    fn renewal(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        record: &Record<BlobRecord>,
    ) -> Batch {
        if !record.is_older(self.clock.now(), RENEWAL) {
            return Batch::new();
        }
        let key = digest.to_string();
        let key = [&*self.id, repository.as_str(), &key];
        Batch::new()
            .expect(&BLOBS, &key, record)
            .put(&BLOBS, &key, &self.requested_now())
    }

    fn requested_now(&self) -> BlobRecord {
        BlobRecord {
            requested: self.clock.now(),
        }
    }

    /// Adds the blob `digest` to `repository`. Its content is `fresh`, unless the registry already has it. The caller
    /// holds the lock to write.
    pub(crate) async fn put_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        fresh: UncommittedContent,
    ) -> Result<(), Error> {
        let text = digest.to_string();
        let key = [&*self.id, repository.as_str(), &text];
        let put = self.store.update(|| async {
            fresh.set_may_be_referenced(false);
            let existing = self.content_record(digest).await?;
            if existing.is_some()
                && let Some(record) = self.blob_record(repository, digest).await?
            {
                return Ok((self.renewal(repository, digest, &record), ()));
            }
            let batch =
                Batch::new()
                    .expect_absent(&BLOBS, &key)
                    .put(&BLOBS, &key, &self.requested_now());
            let batch = self.link(digest, existing.as_ref(), Some(&fresh.record), batch);
            fresh.set_may_be_referenced(existing.is_none());
            Ok((batch, ()))
        });
        let put = put.await;
        fresh.settle(&put);
        put
    }

    /// Mounts a blob of `from` in the repository `to`. Without `from`, any repository will do. Returns false if there
    /// is no readable one that has the blob.
    pub(crate) async fn mount_blob(
        &self,
        digest: &Digest,
        from: Option<&RepositoryName>,
        to: &RepositoryName,
    ) -> Result<bool, Error> {
        let _lock = self.lock_to_write(to).await?;
        let text = digest.to_string();
        let key = [&*self.id, to.as_str(), &text];
        let mounted = self.store.update(|| async {
            let Some(existing) = self.content_record(digest).await? else {
                return Ok((Batch::new(), false));
            };
            let Some(from) = self.mount_source(digest, from).await? else {
                return Ok((Batch::new(), false));
            };
            if let Some(record) = self.blob_record(to, digest).await? {
                return Ok((self.renewal(to, digest, &record), true));
            }
            let batch = Batch::new()
                .expect_present(&BLOBS, &[&self.id, from.as_str(), &text])
                .expect_absent(&BLOBS, &key)
                .put(&BLOBS, &key, &self.requested_now());
            Ok((self.link(digest, Some(&existing), None, batch), true))
        });
        mounted.await
    }

    /// Returns a repository that has the blob and is readable: `from`, or any if `from` is `None`. The content of a
    /// manifest is not a blob.
    async fn mount_source(
        &self,
        digest: &Digest,
        from: Option<&RepositoryName>,
    ) -> Result<Option<RepositoryName>, Error> {
        if let Some(from) = from {
            if !self.has_blob(from, digest).await? {
                return Ok(None);
            }
            self.repository_attributes(from).await?.check_readable()?;
            return Ok(Some(from.clone()));
        }
        let repositories = self.repositories_in(&BLOBS, None);
        let mut repositories = repositories.take(MOUNT_SEARCH_LIMIT);
        while let Some(repository) = repositories.try_next().await? {
            if self.has_blob(&repository, digest).await?
                && self.repository_attributes(&repository).await?.read_enabled
            {
                return Ok(Some(repository));
            }
        }
        Ok(None)
    }

    /// Deletes a blob from a repository, unless a locked manifest there refers to it.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-image-lock>
    pub(crate) async fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        // Nobody can lock or push a manifest that refers to the blob meanwhile.
        let _lock = self.lock_exclusive_to_delete(repository).await?;
        let locked = self.locked_manifests(repository).await?;
        if self
            .references_of(repository, locked)
            .await?
            .contains(digest)
        {
            return Err(Error::DisallowedOperation);
        }
        self.remove_blob(repository, digest).await
    }

    /// Removes a blob from a repository, whatever refers to it. Its content goes with the last link. The caller holds
    /// the repository lock.
    pub(crate) async fn remove_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let text = digest.to_string();
        let key = [&*self.id, repository.as_str(), &text];
        let removed = self.store.update(|| async {
            if !self.has_blob(repository, digest).await? {
                return Err(Error::BlobUnknown(*digest));
            }
            let batch = Batch::new()
                .expect_present(&BLOBS, &key)
                .delete(&BLOBS, &key);
            let (batch, _) = self.unlink(digest, batch).await?;
            Ok((batch, ()))
        });
        removed.await
    }
}
