use std::{
    collections::{HashMap, HashSet},
    ops::Bound,
};

use futures_util::TryStreamExt as _;
use sealock_core::Digest;
use sealock_store::{Batch, Record};

use super::{
    blob::{BLOBS, BlobRecord},
    record::CONTENTS,
};
use crate::{
    Error, Manifest, Registry, RepositoryName,
    manifests::record::{MANIFESTS, ManifestRecord},
};

/// A blob that no manifest of its repository refers to, and that no client has requested lately.
#[derive(Clone, Debug)]
pub struct Garbage {
    /// The repository.
    pub repository: RepositoryName,
    /// The blob.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    record: Record<BlobRecord>,
}

/// The result of a garbage collection, or its preview.
#[derive(Clone, Debug)]
pub struct Collection {
    /// The blobs.
    pub blobs: Vec<Garbage>,
    /// The bytes of content freed with them. Content that another repository still has stays.
    pub freed_bytes: u64,
}

/// The content that a registry holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// The plaintext bytes of all content, each content counted once.
    pub bytes: u64,
    /// The number of different contents of blobs and manifests.
    pub objects: u64,
    /// The number of repositories.
    pub repositories: u64,
}

impl Registry {
    /// Measures the content that the registry holds.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn usage(&self) -> Result<Usage, Error> {
        let mut usage = Usage::default();
        let mut contents = self.store.scan(&CONTENTS, &[&self.id], Bound::Unbounded);
        while let Some(entry) = contents.try_next().await? {
            usage.bytes += entry.record.size;
            usage.objects += 1;
        }
        let repositories = self.repositories_in(&MANIFESTS, None);
        usage.repositories = repositories
            .try_fold(0, async |count, _| Ok(count + 1))
            .await?;
        Ok(usage)
    }

    /// Lists the blobs that [`Self::collect_garbage`] would remove.
    ///
    /// # Errors
    /// [`Error::Denied`] while the registry is revoked, since its manifests cannot be read.
    pub async fn garbage(&self) -> Result<Collection, Error> {
        self.lease().await?;
        let mut blobs = Vec::new();
        let mut repositories = self.repositories_in(&BLOBS, None);
        while let Some(repository) = repositories.try_next().await? {
            blobs.extend(self.garbage_of(&repository).await?);
        }
        Ok(Collection {
            freed_bytes: self.freed_bytes_of(&blobs).await?,
            blobs,
        })
    }

    /// Removes the blobs that no manifest of their repository refers to and that no client has requested within the
    /// last hour. A push in progress keeps the blobs that it counts on.
    ///
    /// # Errors
    /// [`Error::Denied`] while the registry is revoked. Blobs removed before stay removed.
    pub async fn collect_garbage(&self) -> Result<Collection, Error> {
        self.lease().await?;
        let mut removed = Vec::new();
        let mut freed_bytes = 0;
        let mut repositories = self.repositories_in(&BLOBS, None);
        while let Some(repository) = repositories.try_next().await? {
            // No manifest may start to refer to the blobs that are found to be garbage.
            let _lock = self.lock_exclusive(&repository).await?;
            for blob in self.garbage_of(&repository).await? {
                if let Some(freed) = self.remove_garbage(&blob).await? {
                    freed_bytes += freed;
                    removed.push(blob);
                }
            }
        }
        Ok(Collection {
            blobs: removed,
            freed_bytes,
        })
    }

    async fn garbage_of(&self, repository: &RepositoryName) -> Result<Vec<Garbage>, Error> {
        let mut garbage = self.idle_blobs(repository).await?;
        if !garbage.is_empty() {
            let manifests = self.repository_manifests(repository).await?;
            let referred_to = self.references_of(repository, manifests).await?;
            garbage.retain(|blob| !referred_to.contains(&blob.digest));
        }
        Ok(garbage)
    }

    /// Removes a blob, and returns the number of freed bytes. `None` if a client has requested the blob meanwhile.
    async fn remove_garbage(&self, blob: &Garbage) -> Result<Option<u64>, Error> {
        let text = blob.digest.to_string();
        let key = [&*self.id, blob.repository.as_str(), &text];
        let removed = self.store.update(|| async {
            let current = self.store.get(&BLOBS, &key).await?;
            if !current.is_some_and(|current| current.value == blob.record.value) {
                return Ok((Batch::new(), None));
            }
            let batch = Batch::new()
                .expect(&BLOBS, &key, &blob.record)
                .delete(&BLOBS, &key);
            let (batch, unlinked) = self.unlink(&blob.digest, batch).await?;
            let freed = if unlinked { blob.size } else { 0 };
            Ok((batch, Some(freed)))
        });
        removed.await
    }

    async fn idle_blobs(&self, repository: &RepositoryName) -> Result<Vec<Garbage>, Error> {
        let now = self.clock.now();
        let mut idle = Vec::new();
        let scope = [&*self.id, repository.as_str()];
        let mut blobs = self.store.scan(&BLOBS, &scope, Bound::Unbounded);
        while let Some(entry) = blobs.try_next().await? {
            if !entry.record.is_idle(now) {
                continue;
            }
            let digest: Digest = entry.key.concat().parse()?;
            if let Some(content) = self.content_record(&digest).await? {
                idle.push(Garbage {
                    repository: repository.clone(),
                    digest,
                    size: content.size,
                    record: entry.record,
                });
            }
        }
        Ok(idle)
    }

    /// Returns the digests that these manifests of a repository refer to.
    pub(crate) async fn references_of(
        &self,
        repository: &RepositoryName,
        manifests: Vec<(Digest, ManifestRecord)>,
    ) -> Result<HashSet<Digest>, Error> {
        let mut referred_to = HashSet::new();
        for (digest, record) in manifests {
            match self.manifest_bytes(repository, &digest).await {
                Ok(bytes) => {
                    let manifest = Manifest::parse(&bytes, Some(&record.media_type))?;
                    referred_to.extend(manifest.descriptors.iter().map(|found| found.digest));
                }
                // Deleted since it was listed.
                Err(Error::ManifestUnknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(referred_to)
    }

    /// Sums the bytes of the contents that lose all their links with `blobs`.
    async fn freed_bytes_of(&self, blobs: &[Garbage]) -> Result<u64, Error> {
        let mut links: HashMap<Digest, u64> = HashMap::new();
        for blob in blobs {
            *links.entry(blob.digest).or_default() += 1;
        }
        let mut freed = 0;
        for (digest, removed) in links {
            if let Some(content) = self.content_record(&digest).await?
                && content.links == removed
            {
                freed += content.size;
            }
        }
        Ok(freed)
    }
}
