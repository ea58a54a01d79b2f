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
    registry::last_key_part,
};

/// What a reference names.
#[derive(PartialEq)]
pub(crate) struct Target {
    digest: Digest,
    /// Since when its tag, if it is one, has done so.
    tagged: Option<Timestamp>,
    /// That tag's.
    attributes: Attributes,
}

/// A manifest that was found.
pub(crate) struct Located {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) content: ContentRecord,
    pub(crate) attributes: Attributes,
}

impl Registry {
    /// The manifest that `reference` names, with its bytes. Every pull and every check for news begins
    /// here, so that small ones are kept as long as the permission under which they were opened.
    pub(crate) async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<(Located, Bytes), Error> {
        loop {
            let target = self.resolve(repository, reference).await?;
            match self.manifest_at(repository, reference, &target).await {
                // Its tag has moved, and what it pointed to was deleted: the tag was there all the time.
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
    ) -> Result<(Located, Bytes), Error> {
        let located = self.locate(repository, reference, target).await?;
        let of_repository = self.repository_attributes(repository).await?;
        for attributes in [of_repository, target.attributes, located.attributes] {
            attributes.check_readable()?;
        }
        let bytes = self.manifest_bytes(repository, &located, reference).await?;
        Ok((located, bytes))
    }

    /// The bytes of the manifest that was found as `reference`, whatever its attributes.
    async fn manifest_bytes(
        &self,
        repository: &RepositoryName,
        located: &Located,
        reference: &Reference,
    ) -> Result<Bytes, Error> {
        let lease = self.lease().await?;
        let object = located.content.object;
        if let Some(bytes) = lease.cache().and_then(|cache| cache.get(object)) {
            return Ok(bytes);
        }
        let content = self.open(located.digest, &located.content).await?;
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

    /// The bytes of the manifest with this digest, whatever its attributes.
    pub(crate) async fn manifest_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Bytes, Error> {
        let reference = Reference::Digest(*digest);
        let target = self.resolve(repository, &reference).await?;
        let located = self.locate(repository, &reference, &target).await?;
        self.manifest_bytes(repository, &located, &reference).await
    }

    /// Where the manifest lies that `reference` names, which is `target`.
    pub(crate) async fn locate(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        target: &Target,
    ) -> Result<Located, Error> {
        let unknown = || Error::ManifestUnknown {
            repository: repository.clone(),
            reference: reference.clone(),
        };
        let digest = target.digest;
        let record = self
            .manifest_record(repository, &digest)
            .await?
            .ok_or_else(unknown)?;
        Ok(Located {
            digest,
            attributes: record.attributes,
            media_type: record.value.media_type,
            content: self.content(&digest).await?.ok_or_else(unknown)?.value,
        })
    }

    /// What `reference` names; a digest names itself, whether it is known or not.
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

    /// All manifests of a repository, by their digests.
    pub(crate) async fn repository_manifests(
        &self,
        name: &RepositoryName,
    ) -> Result<Vec<(Digest, ManifestRecord)>, Error> {
        let scope = [&*self.id, name.as_str()];
        let entries = self.store.scan(&MANIFESTS, &scope, Bound::Unbounded);
        let manifests = entries.map(|entry| {
            let (digest, record) = last_key_part(entry?);
            Ok((digest.parse()?, record))
        });
        manifests.try_collect().await
    }

    /// The manifests of a repository that may not be deleted, because they are locked or a tag on them is.
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
        let _turn = self.lock_shared(repository).await?;
        let text = digest.to_string();
        let key = [&*self.id, repository.as_str(), &text];
        let changed = self.store.update(|| async {
            let existing = self.manifest_record(repository, digest).await?;
            let existing = existing.ok_or(Error::ManifestUnlisted)?;
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
