use std::{collections::HashSet, ops::Bound};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sealock_core::{Algorithm, Digest};
use sealock_store::{Batch, Record, Table};
use serde::{Deserialize, Serialize};
use tokio::{sync::OnceCell, task::spawn_blocking};

use crate::{
    Error, Kind, Manifest, Reference, Registry, RepositoryName, Tag,
    attributes::Attributes,
    blob::BLOBS,
    content::{ContentRecord, Fresh},
    hasher::Hasher,
    upload::publish_whole,
};

/// The manifests of each repository, by digest.
pub(crate) const MANIFESTS: Table<ManifestRecord> = Table::content("manifests");

/// The tags of each repository.
pub(crate) const TAGS: Table<TagRecord> = Table::content("tags");

/// How much of what a manifest refers to and is missing is named.
const MISSING_LIMIT: usize = 100;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ManifestRecord {
    pub(crate) media_type: String,
    pub(crate) pushed: Timestamp,
    /// The manifest that it is about, whether that is there or not.
    #[serde(default)]
    pub(crate) subject: Option<Digest>,
    /// Whether it was taken although something that it refers to was missing.
    #[serde(default)]
    pub(crate) sparse: bool,
    #[serde(default)]
    pub(crate) attributes: Attributes,
    /// Counts the tags that were ever put on it, so that a deletion that has not seen the newest one
    /// conflicts instead of leaving it behind.
    taggings: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TagRecord {
    pub(crate) digest: Digest,
    pub(crate) updated: Timestamp,
    /// When the tag was first put, on whatever manifest. One of an earlier version does not say.
    #[serde(default)]
    pub(crate) created: Option<Timestamp>,
    #[serde(default)]
    pub(crate) attributes: Attributes,
}

/// A manifest that was stored.
pub(crate) struct PutManifest {
    pub(crate) digest: Digest,
    pub(crate) subject: Option<Digest>,
}

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
        if let Some(bytes) = lease.opened().and_then(|opened| opened.get(object)) {
            return Ok(bytes);
        }
        let content = self.open(located.digest, &located.content).await?;
        let content = content.ok_or_else(|| Error::ManifestUnknown {
            repository: repository.clone(),
            reference: reference.clone(),
        })?;
        let bytes = content.bytes().await?;
        if let Some(opened) = lease.opened() {
            opened.keep(object, &bytes);
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

    /// Stores a manifest exactly as it came, under its digest and these tags.
    ///
    /// # Errors
    /// If it is no manifest, is not that of `provided`, or refers to what is not there.
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
        let _turn = self.shared_turn(repository).await?;
        let _publication = self.publication().await?;
        self.check_writable(repository).await?;
        let fresh: OnceCell<Fresh> = OnceCell::new();
        let put = self.store.update(|| async {
            if let Some(fresh) = fresh.get() {
                fresh.note_reference(false);
            }
            let known = self.manifest_record(repository, &digest).await?;
            let existing = self.content(&digest).await?;
            let (mut batch, sparse) = self.expect_references(repository, &manifest).await?;
            let is_new = known.is_none() && existing.is_none();
            if is_new {
                let seal = || self.seal_small(digest, bytes.clone());
                fresh.get_or_try_init(seal).await?;
            }
            if let Some(known) = &known
                && known.media_type != manifest.media_type
            {
                // A locked manifest stays what it is; other tags may be put on it.
                known.attributes.check_writable()?;
            }
            if known.is_none() {
                let fresh = fresh.get().map(|fresh| &fresh.record);
                batch = self.link(&digest, existing.as_ref(), fresh, batch);
            }
            let now = self.stamp().await?;
            let mut record = known.as_ref().map_or_else(
                || ManifestRecord {
                    media_type: manifest.media_type.clone(),
                    pushed: now,
                    subject: manifest.subject,
                    sparse,
                    attributes: Attributes::default(),
                    taggings: 0,
                },
                |known| known.value.clone(),
            );
            record.sparse |= sparse;
            if let Some(subject) = &manifest.subject {
                batch = self.refer(repository, &digest, subject, batch);
            }
            record.taggings += tags.len() as u64;
            let text = digest.to_string();
            let key = [&*self.id, repository.as_str(), &text];
            batch = batch
                .expect_same(&MANIFESTS, &key, known.as_ref())
                .put(&MANIFESTS, &key, &record);
            let batch = self
                .tag_manifest(repository, &digest, tags, now, batch)
                .await?;
            // The body may have taken its time: whoever is revoked by now changes nothing.
            self.lease().await?;
            if let Some(fresh) = fresh.get() {
                fresh.note_reference(is_new);
            }
            Ok((batch, ()))
        });
        let put = put.await;
        if let Some(fresh) = fresh.get() {
            fresh.note_update(&put);
        }
        put?;
        Ok(PutManifest {
            digest,
            subject: manifest.subject,
        })
    }

    /// Adds the records of the manifest's tags to `batch`.
    async fn tag_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        tags: &[Tag],
        now: Timestamp,
        mut batch: Batch,
    ) -> Result<Batch, Error> {
        for tag in tags {
            let key = [&*self.id, repository.as_str(), tag.as_str()];
            let existing = self.store.get(&TAGS, &key).await?;
            let mut record = TagRecord {
                digest: *digest,
                updated: now,
                created: Some(now),
                attributes: Attributes::default(),
            };
            if let Some(existing) = &existing {
                existing.attributes.check_writable()?;
                record.created = existing.created;
                record.attributes = existing.attributes;
            }
            batch = batch
                .expect_same(&TAGS, &key, existing.as_ref())
                .put(&TAGS, &key, &record);
        }
        Ok(batch)
    }

    /// A batch that holds only while everything is there that the manifest refers to; and whether
    /// something is missing, if that may be.
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
            if !expected.insert((descriptor.kind == Kind::Child, digest)) {
                continue;
            }
            let text = digest.to_string();
            let key = [&*self.id, repository.as_str(), &text];
            if descriptor.kind == Kind::Child
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

    async fn seal_small(&self, digest: Digest, bytes: Bytes) -> Result<Fresh, Error> {
        let lease = self.lease().await?;
        let store = self.store.clone();
        spawn_blocking(move || publish_whole(&store, &lease.keys(), &digest, &bytes)).await?
    }

    /// Deletes what `reference` names: a tag alone, or a manifest with every tag that points to it and with what
    /// refers to it.
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
                self.forget_if_empty(repository).await
            }
        }
    }

    pub(crate) async fn delete_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Digest, Error> {
        let _turn = self.shared_turn(repository).await?;
        self.check_deletable(repository).await?;
        let key = [&*self.id, repository.as_str(), tag.as_str()];
        let deleted = self.store.update(|| async {
            let existing = self.tag(repository, tag).await?;
            existing.attributes.check_deletable()?;
            let batch = Batch::new()
                .expect(&TAGS, &key, &existing)
                .delete(&TAGS, &key);
            Ok((batch, existing.digest))
        });
        deleted.await
    }

    /// Deletes a manifest with its tags, unless one of them is locked. For whoever has a turn.
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
            let scope = [&*self.id, repository.as_str()];
            let mut tags = self.store.scan(&TAGS, &scope, Bound::Unbounded);
            while let Some(entry) = tags.try_next().await? {
                if entry.record.digest == *digest {
                    // A locked tag keeps its manifest.
                    entry.record.attributes.check_deletable()?;
                    let tag = [&*self.id, repository.as_str(), &entry.key[0]];
                    batch = batch.expect(&TAGS, &tag, &entry.record).delete(&TAGS, &tag);
                }
            }
            if let Some(subject) = &existing.subject {
                batch = self.unrefer(repository, digest, subject, batch);
            }
            let (batch, _) = self.unlink(digest, batch).await?;
            Ok((batch, ()))
        });
        removed.await
    }
}
