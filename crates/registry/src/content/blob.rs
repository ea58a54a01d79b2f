use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use sealock_core::Digest;
use sealock_store::{Batch, Record, Table};
use serde::{Deserialize, Serialize};

use super::{object::Content, uncommitted::UncommittedContent};
use crate::{Error, Registry, RepositoryName};

/// Which repository has which blob.
pub(crate) const BLOBS: Table<BlobRecord> = Table::content("blobs");

/// How long a blob is kept for the client that asked for it, although nothing refers to it.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// In how many repositories a blob is looked for that is to be mounted from whichever has it. If none of
/// them does, it is pushed.
const MOUNT_SEARCH_LIMIT: usize = 1000;

/// What a client has made sure of is noted again once this much has passed, and not each time.
const RENEWAL: SignedDuration = SignedDuration::from_mins(30);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobRecord {
    /// When a client was last told that it is there. One of an earlier version does not say.
    #[serde(default)]
    asked: Option<Timestamp>,
}

impl BlobRecord {
    /// Whether no client counts on it any more.
    pub(crate) fn is_idle(&self, now: Timestamp) -> bool {
        // The hour counts from when it was last noted that somebody asked.
        self.is_older(now, GRACE + RENEWAL)
    }

    fn is_older(&self, now: Timestamp, age: SignedDuration) -> bool {
        self.asked
            .is_none_or(|asked| now.duration_since(asked) >= age)
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
        let record = self.content(&digest).await?.ok_or_else(unknown)?;
        self.open(digest, &record).await?.ok_or_else(unknown)
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

    /// Notes that a client was told of a blob, and so counts on it for a while.
    pub(crate) async fn renew_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let renewal = async || match self.blob_record(repository, digest).await? {
            Some(record) => Ok(self.renewal(repository, digest, &record)),
            None => Err(Error::BlobUnknown(*digest)),
        };
        // Most have nothing to note, and wait for nobody.
        if renewal().await?.is_empty() {
            return Ok(());
        }
        let renewed = self
            .store
            .update(|| async { Ok::<_, Error>((renewal().await?, ())) });
        renewed.await
    }

    /// A batch that notes that a client was told of a blob, unless that was noted lately.
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
            .put(&BLOBS, &key, &self.asked_now())
    }

    fn asked_now(&self) -> BlobRecord {
        BlobRecord {
            asked: Some(self.clock.now()),
        }
    }

    /// Gives `repository` the blob `digest`, whose content is `fresh` unless the registry has it already. For whoever has
    /// a turn.
    pub(crate) async fn put_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        fresh: UncommittedContent,
    ) -> Result<(), Error> {
        let text = digest.to_string();
        let key = [&*self.id, repository.as_str(), &text];
        let put = self.store.update(|| async {
            fresh.note_reference(false);
            let existing = self.content(digest).await?;
            if existing.is_some()
                && let Some(record) = self.blob_record(repository, digest).await?
            {
                return Ok((self.renewal(repository, digest, &record), ()));
            }
            let batch =
                Batch::new()
                    .expect_absent(&BLOBS, &key)
                    .put(&BLOBS, &key, &self.asked_now());
            let batch = self.link(digest, existing.as_ref(), Some(&fresh.record), batch);
            fresh.note_reference(existing.is_none());
            Ok((batch, ()))
        });
        let put = put.await;
        fresh.note_update(&put);
        put
    }

    /// Gives `to` the blob that `from` has, or that some repository has if none is named. False if there
    /// is none from which it could be read.
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
            let Some(existing) = self.content(digest).await? else {
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
                .put(&BLOBS, &key, &self.asked_now());
            Ok((self.link(digest, Some(&existing), None, batch), true))
        });
        mounted.await
    }

    /// Where a blob that is to be mounted can be read: in `from`, or in some repository if none is named.
    /// A manifest's content is no blob.
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

    /// Takes a blob from a repository, unless a locked manifest there refers to it.
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
        if self.referred_to(repository, locked).await?.contains(digest) {
            return Err(Error::DisallowedOperation);
        }
        self.remove_blob(repository, digest).await
    }

    /// Takes a blob from a repository, whatever refers to it. Its content is freed at once, if no other
    /// repository has it. For whoever has a turn.
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
