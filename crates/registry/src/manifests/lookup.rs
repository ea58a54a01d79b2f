use std::{collections::HashSet, ops::Bound};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use sealock_core::Digest;
use sealock_store::{Batch, Record};

use super::{
    attributes::{Attributes, AttributesChange},
    record::{MANIFESTS, ManifestRecord},
};
use crate::{
    Error, Reference, Registry, RepositoryName, content::record::ContentRecord,
    registry::last_key_segment,
};

/// The manifest that a reference names.
#[derive(PartialEq)]
pub(crate) struct Target {
    digest: Digest,
    /// The time at which the tag was put on it. `None` for a digest.
    tagged: Option<Timestamp>,
    /// The attributes of the tag.
    attributes: Attributes,
}

/// A manifest with its records.
pub(crate) struct LocatedManifest {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) content: ContentRecord,
    pub(crate) attributes: Attributes,
}

impl Registry {
    /// Returns the manifest that `reference` names, with its bytes, if it may be read. Every pull starts here, so small
    /// manifests are cached together with the DEK that opened them.
    pub(crate) async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<(LocatedManifest, Bytes), Error> {
        loop {
            let target = self.resolve(repository, reference).await?;
            match self.manifest_at(repository, reference, &target).await {
                // The tag has moved, and its old manifest was deleted. The tag existed all the time.
                Err(Error::ManifestUnknown { .. })
                    if self.resolve(repository, reference).await? != target => {}
                answer => return answer,
            }
        }
    }

    async fn manifest_at(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        target: &Target,
    ) -> Result<(LocatedManifest, Bytes), Error> {
        let located = self.locate(repository, reference, target).await?;
        let of_repository = self.repository_attributes(repository).await?;
        for attributes in [of_repository, target.attributes, located.attributes] {
            attributes.check_readable()?;
        }
        let bytes = self
            .read_located_manifest(repository, &located, reference)
            .await?;
        Ok((located, bytes))
    }

    /// Reads the bytes of a located manifest, whatever its attributes.
    async fn read_located_manifest(
        &self,
        repository: &RepositoryName,
        located: &LocatedManifest,
        reference: &Reference,
    ) -> Result<Bytes, Error> {
        let lease = self.lease().await?;
        let object = located.content.object;
        if let Some(bytes) = lease.cache().and_then(|cache| cache.get(object)) {
            return Ok(bytes);
        }
        let content = self.open_content(located.digest, &located.content).await?;
        let content = content.ok_or_else(|| Error::ManifestUnknown {
            repository: repository.clone(),
            reference: reference.clone(),
        })?;
        let bytes = content.bytes().await?;
        if let Some(cache) = lease.cache() {
            cache.insert(object, &bytes);
        }
        Ok(bytes)
    }

    /// Reads the bytes of the manifest with this digest, whatever its attributes.
    pub(crate) async fn manifest_bytes(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Bytes, Error> {
        let reference = Reference::Digest(*digest);
        let target = self.resolve(repository, &reference).await?;
        let located = self.locate(repository, &reference, &target).await?;
        self.read_located_manifest(repository, &located, &reference)
            .await
    }

    /// Returns the records of `target`, the manifest that `reference` names.
    pub(crate) async fn locate(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        target: &Target,
    ) -> Result<LocatedManifest, Error> {
        let unknown = || Error::ManifestUnknown {
            repository: repository.clone(),
            reference: reference.clone(),
        };
        let digest = target.digest;
        let record = self
            .manifest_record(repository, &digest)
            .await?
            .ok_or_else(unknown)?;
        Ok(LocatedManifest {
            digest,
            attributes: record.attributes,
            media_type: record.value.media_type,
            content: self
                .content_record(&digest)
                .await?
                .ok_or_else(unknown)?
                .value,
        })
    }

    /// Resolves a reference. A digest names itself, even if no such manifest exists.
    pub(crate) async fn resolve(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Target, Error> {
        match reference {
            Reference::Digest(digest) => Ok(Target {
                digest: *digest,
                tagged: None,
                attributes: Attributes::default(),
            }),
            Reference::Tag(tag) => match self.tag(repository, tag).await {
                Ok(tag) => Ok(Target {
                    digest: tag.digest,
                    tagged: Some(tag.updated),
                    attributes: tag.attributes,
                }),
                Err(Error::TagUnknown) => Err(Error::ManifestUnknown {
                    repository: repository.clone(),
                    reference: reference.clone(),
                }),
                Err(error) => Err(error),
            },
        }
    }

    pub(crate) async fn manifest_record(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Record<ManifestRecord>>, Error> {
        let key = digest.to_string();
        Ok(self
            .store
            .get(&MANIFESTS, &[&self.id, repository.as_str(), &key])
            .await?)
    }

    /// Lists the manifests of a repository by digest.
    pub(crate) async fn repository_manifests(
        &self,
        name: &RepositoryName,
    ) -> Result<Vec<(Digest, ManifestRecord)>, Error> {
        let scope = [&*self.id, name.as_str()];
        let entries = self.store.scan(&MANIFESTS, &scope, Bound::Unbounded);
        let manifests = entries.map(|entry| {
            let (digest, record) = last_key_segment(entry?);
            Ok((digest.parse()?, record))
        });
        manifests.try_collect().await
    }

    /// Lists the manifests of a repository that cannot be deleted, because they or their tags are locked.
    pub(crate) async fn locked_manifests(
        &self,
        name: &RepositoryName,
    ) -> Result<Vec<(Digest, ManifestRecord)>, Error> {
        let is_locked = |attributes: Attributes| attributes.check_deletable().is_err();
        let mut tagged = HashSet::new();
        for (_, tag) in self.repository_tags(name).await? {
            if is_locked(tag.attributes) {
                tagged.insert(tag.digest);
            }
        }
        let mut manifests = self.repository_manifests(name).await?;
        manifests
            .retain(|(digest, manifest)| tagged.contains(digest) || is_locked(manifest.attributes));
        Ok(manifests)
    }

    pub(crate) async fn change_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        change: AttributesChange,
    ) -> Result<ManifestRecord, Error> {
        let _lock = self.lock_shared(repository).await?;
        let text = digest.to_string();
        let key = [&*self.id, repository.as_str(), &text];
        let changed = self.store.update(|| async {
            let existing = self.manifest_record(repository, digest).await?;
            let existing = existing.ok_or(Error::AcrManifestUnknown)?;
            let mut record = existing.value.clone();
            record.attributes = record.attributes.with(change);
            let batch = Batch::new()
                .expect(&MANIFESTS, &key, &existing)
                .put(&MANIFESTS, &key, &record);
            Ok((batch, record))
        });
        changed.await
    }
}
