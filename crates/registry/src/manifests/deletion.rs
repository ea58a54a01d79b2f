use std::ops::Bound;

use sealock_core::Digest;
use sealock_store::Batch;

use super::{
    record::{MANIFESTS, TAGS},
    referrers::REFERRERS,
};
use crate::{Error, Reference, Registry, RepositoryName};

impl Registry {
    /// Deletes a tag alone, or a manifest with its tags and its untagged referrers.
    pub(crate) async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<(), Error> {
        match reference {
            Reference::Tag(tag) => match self.delete_tag(repository, tag).await {
                Err(Error::TagUnknown) => Err(Error::ManifestUnknown {
                    repository: repository.clone(),
                    reference: reference.clone(),
                }),
                deleted => deleted.map(drop),
            },
            Reference::Digest(digest) => {
                Box::pin(self.delete_graph(repository, digest)).await?;
                self.remove_attributes_if_empty(repository).await
            }
        }
    }

    /// Removes a manifest with its tags, unless one of them is locked. The caller holds the lock to delete.
    pub(crate) async fn remove_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let text = digest.to_string();
        let key = [&*self.id, repository.as_str(), &text];
        let removed = self.store.update(|| async {
            let Some(existing) = self.manifest_record(repository, digest).await? else {
                return Err(Error::ManifestUnknown {
                    repository: repository.clone(),
                    reference: Reference::Digest(*digest),
                });
            };
            existing.attributes.check_deletable()?;
            let mut batch = Batch::new()
                .expect(&MANIFESTS, &key, &existing)
                .delete(&MANIFESTS, &key);
            batch = self.index_manifest(repository, &text, Some(&existing), None, batch);
            for tag in self.tags_of(repository, digest).await? {
                let key = [&*self.id, repository.as_str(), tag.as_str()];
                // A tag that has moved meanwhile stays.
                let found = self.store.get(&TAGS, &key).await?;
                if let Some(record) = found.filter(|found| found.digest == *digest) {
                    // A locked tag keeps its manifest.
                    record.attributes.check_deletable()?;
                    batch = batch.expect(&TAGS, &key, &record).delete(&TAGS, &key);
                    batch = self.index_tag(repository, tag.as_str(), Some(&record), None, batch);
                }
            }
            if let Some(subject) = &existing.subject {
                batch = self.remove_referrer(repository, digest, subject, batch);
            }
            let (batch, _) = self.unlink(digest, batch).await?;
            Ok((batch, ()))
        });
        removed.await
    }

    /// Deletes a manifest. Where the referrers API is offered, deletes its untagged referrers, too, and theirs, and so
    /// on. Deletes nothing if one of them is locked.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-manage-artifact#deleting-all-artifacts-in-the-graph>,
    /// <https://github.com/oras-project/artifacts-spec/blob/main/artifact-manifest.md#lifecycle-management>
    pub(crate) async fn delete_graph(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let lock = self.lock_to_delete(repository).await?;
        let has_referrers = async || {
            let subject = digest.to_string();
            let key = [&*self.id, repository.as_str(), &subject];
            let first = self.store.first(&REFERRERS, &key, Bound::Unbounded).await;
            first.map(|first| first.is_some())
        };
        if !self.offers_referrers() || !has_referrers().await? {
            return self.remove_manifest(repository, digest).await;
        }
        drop(lock);
        // Nobody can lock a manifest or push a referrer while the graph is deleted.
        let _lock = self.lock_exclusive_to_delete(repository).await?;
        let graph = self.graph(repository, digest).await?;
        let mut locked = self.locked_manifests(repository).await?.into_iter();
        if locked.any(|(locked, _)| graph.contains(&locked)) {
            return Err(Error::DisallowedOperation);
        }
        // The manifest itself comes last, so that an interrupted deletion can be repeated.
        for digest in graph.iter().rev() {
            self.remove_manifest(repository, digest).await?;
        }
        Ok(())
    }

    /// Returns a manifest with its direct and indirect untagged referrers, each after its subject.
    async fn graph(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Digest>, Error> {
        if self.manifest_record(repository, digest).await?.is_none() {
            return Err(Error::ManifestUnknown {
                repository: repository.clone(),
                reference: Reference::Digest(*digest),
            });
        }
        let mut graph = vec![*digest];
        let mut at = 0;
        while let Some(subject) = graph.get(at) {
            for referrer in self.recorded_referrers(repository, subject).await? {
                if !self.is_tagged(repository, &referrer).await? {
                    graph.push(referrer);
                }
            }
            at += 1;
        }
        Ok(graph)
    }
}
