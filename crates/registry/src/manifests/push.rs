use std::collections::HashSet;

use bytes::Bytes;
use sealock_core::{Algorithm, Digest};
use sealock_store::Batch;
use tokio::{sync::OnceCell, task::spawn_blocking};

use super::{
    attributes::Attributes,
    manifest::{DescriptorKind, Manifest},
    record::{MANIFESTS, ManifestRecord},
};
use crate::{
    Error, Registry, RepositoryName, Tag,
    content::{blob::BLOBS, hasher::Hasher, uncommitted::UncommittedContent},
};

/// The limit of missing references that an error names.
const MISSING_LIMIT: usize = 100;

/// A stored manifest.
pub(crate) struct PutManifest {
    pub(crate) digest: Digest,
    pub(crate) subject: Option<Digest>,
}

impl Registry {
    /// Stores a manifest exactly as received, under its digest and `tags`.
    ///
    /// # Errors
    /// If the manifest is invalid, does not have the digest `provided`, or refers to missing content.
    pub(crate) async fn put_manifest(
        &self,
        repository: &RepositoryName,
        provided: Option<Digest>,
        tags: &[Tag],
        content_type: Option<&str>,
        bytes: Bytes,
    ) -> Result<PutManifest, Error> {
        let manifest = Manifest::parse(&bytes, content_type)?;
        let algorithm = provided.map_or_else(Algorithm::default, |digest| digest.algorithm());
        let digest = Hasher::digest(algorithm, &bytes);
        if let Some(provided) = &provided {
            Error::check_digest(provided, digest)?;
        }
        let _lock = self.lock_to_write(repository).await?;
        let _publication = self.lock_publication().await?;
        let fresh: OnceCell<UncommittedContent> = OnceCell::new();
        let put = self.store.update(|| async {
            if let Some(fresh) = fresh.get() {
                fresh.set_may_be_referenced(false);
            }
            let known = self.manifest_record(repository, &digest).await?;
            let existing = self.content_record(&digest).await?;
            let (mut batch, sparse) = self.expect_references(repository, &manifest).await?;
            let is_new = known.is_none() && existing.is_none();
            if is_new {
                let seal = || self.seal_small(digest, bytes.clone());
                fresh.get_or_try_init(seal).await?;
            }
            if let Some(known) = &known
                && known.media_type != manifest.media_type
            {
                // A locked manifest keeps its media type, but may get other tags.
                known.attributes.check_writable()?;
            }
            if known.is_none() {
                let fresh = fresh.get().map(|fresh| &fresh.record);
                batch = self.link(&digest, existing.as_ref(), fresh, batch);
            }
            let now = self
                .stamps
                .next(&self.store, &self.clock, self.record.id)
                .await?;
            let mut record = known.as_ref().map_or_else(
                || ManifestRecord {
                    media_type: manifest.media_type.clone(),
                    pushed: now,
                    subject: manifest.subject,
                    artifact_type: manifest.short_artifact_type(),
                    sparse,
                    attributes: Attributes::default(),
                    taggings: 0,
                },
                |known| known.value.clone(),
            );
            record.sparse |= sparse;
            if let Some(subject) = &manifest.subject {
                batch = self.add_referrer(repository, &digest, subject, batch);
            }
            record.taggings += tags.len() as u64;
            let text = digest.to_string();
            let key = [&*self.id, repository.as_str(), &text];
            batch = batch
                .expect_same(&MANIFESTS, &key, known.as_ref())
                .put(&MANIFESTS, &key, &record);
            if known.is_none() {
                batch = self.index_manifest(repository, &text, None, Some(&record), batch);
            }
            let batch = self
                .tag_manifest(repository, &digest, tags, now, batch)
                .await?;
            // The registry may have been revoked while the body arrived.
            self.lease().await?;
            if let Some(fresh) = fresh.get() {
                fresh.set_may_be_referenced(is_new);
            }
            Ok((batch, ()))
        });
        let put = put.await;
        if let Some(fresh) = fresh.get() {
            fresh.settle(&put);
        }
        put?;
        Ok(PutManifest {
            digest,
            subject: manifest.subject,
        })
    }

    /// Returns a batch that expects all references of the manifest to exist. The flag is true if some are missing and
    /// may be.
    async fn expect_references(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
    ) -> Result<(Batch, bool), Error> {
        let mut batch = Batch::new();
        let mut sparse = false;
        let mut missing = Vec::new();
        let mut expected = HashSet::new();
        for descriptor in manifest.descriptors.iter().filter(|found| !found.foreign) {
            let digest = &descriptor.digest;
            if !expected.insert((descriptor.kind == DescriptorKind::Child, digest)) {
                continue;
            }
            let text = digest.to_string();
            let key = [&*self.id, repository.as_str(), &text];
            if descriptor.kind == DescriptorKind::Child
                && self.manifest_record(repository, digest).await?.is_some()
            {
                batch = batch.expect_present(&MANIFESTS, &key);
            } else if self.has_blob(repository, digest).await? {
                batch = batch.expect_present(&BLOBS, &key);
            } else if self.settings.sparse_manifests {
                sparse = true;
            } else if missing.len() < MISSING_LIMIT {
                missing.push(*digest);
            }
        }
        if missing.is_empty() {
            return Ok((batch, sparse));
        }
        Err(Error::ManifestBlobUnknown(missing))
    }

    async fn seal_small(&self, digest: Digest, bytes: Bytes) -> Result<UncommittedContent, Error> {
        let lease = self.lease().await?;
        let store = self.store.clone();
        spawn_blocking(move || UncommittedContent::seal(&store, &lease.keys(), &digest, &bytes))
            .await?
    }
}
