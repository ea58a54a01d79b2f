use std::{collections::HashSet, ops::Bound};

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use sealock_core::Digest;
use sealock_store::{Commit, Entry};

use crate::{
    Error, Registry, RepositoryName, Tag,
    attributes::Attributes,
    blob::BLOBS,
    manifests::{MANIFESTS, ManifestRecord, TAGS, TagRecord},
};

/// What there is to say of a repository.
pub(crate) struct Repository {
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) manifests: usize,
    pub(crate) tags: usize,
    pub(crate) attributes: Attributes,
}

/// What went with a repository.
pub(crate) struct Deleted {
    pub(crate) manifests: Vec<Digest>,
    pub(crate) tags: Vec<Tag>,
}

impl Registry {
    /// A repository is as old as its oldest manifest.
    pub(crate) async fn repository(&self, name: &RepositoryName) -> Result<Repository, Error> {
        let manifests = self.repository_manifests(name).await?;
        let tags = self.repository_tags(name).await?;
        let pushed = manifests.iter().map(|(_, manifest)| manifest.pushed);
        let Some(created) = pushed.clone().min() else {
            return Err(Error::NameUnknown(name.clone()));
        };
        let tagged = tags.iter().map(|(_, tag)| tag.updated);
        Ok(Repository {
            created,
            updated: pushed.chain(tagged).max().unwrap_or(created),
            manifests: manifests.len(),
            tags: tags.len(),
            attributes: self.repository_attributes(name).await?,
        })
    }

    /// All manifests of a repository, by their digests.
    pub(crate) async fn repository_manifests(
        &self,
        name: &RepositoryName,
    ) -> Result<Vec<(Digest, ManifestRecord)>, Error> {
        let scope = [&*self.id, name.as_str()];
        let entries = self.store.scan(&MANIFESTS, &scope, Bound::Unbounded);
        let manifests = entries.map(|entry| {
            let (digest, record) = named(entry?);
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

    /// All tags of a repository, by their names.
    pub(crate) async fn repository_tags(
        &self,
        name: &RepositoryName,
    ) -> Result<Vec<(Tag, TagRecord)>, Error> {
        let scope = [&*self.id, name.as_str()];
        let entries = self.store.scan(&TAGS, &scope, Bound::Unbounded);
        let tags = entries.map_ok(|entry| {
            let (tag, record) = named(entry);
            (Tag(tag), record)
        });
        Ok(tags.try_collect().await?)
    }

    /// Deletes a repository with all that it has, if nothing in it is locked.
    pub(crate) async fn delete_repository(&self, name: &RepositoryName) -> Result<Deleted, Error> {
        // No manifest that is pushed beside it refers to what goes.
        let _turn = self.sole_turn(name).await?;
        self.check_known(name).await?;
        self.check_deletable(name).await?;
        let tags = self.repository_tags(name).await?;
        let manifests = self.repository_manifests(name).await?;
        let tagged = tags.iter().map(|(_, tag)| tag.attributes);
        let pushed = manifests.iter().map(|(_, manifest)| manifest.attributes);
        for attributes in tagged.chain(pushed) {
            attributes.check_deletable()?;
        }
        let deleted = Deleted {
            manifests: manifests.into_iter().map(|(digest, _)| digest).collect(),
            tags: tags.into_iter().map(|(tag, _)| tag).collect(),
        };
        for digest in &deleted.manifests {
            self.remove_manifest(name, digest).await?;
        }
        for digest in self.repository_blobs(name).await? {
            self.remove_blob(name, &digest).await?;
        }
        match self.store.commit(self.forget_attributes(name)).await? {
            // It expects nothing: nobody else has a turn.
            Commit::Done | Commit::Conflict => Ok(deleted),
        }
    }

    async fn repository_blobs(&self, name: &RepositoryName) -> Result<Vec<Digest>, Error> {
        let scope = [&*self.id, name.as_str()];
        let entries = self.store.scan(&BLOBS, &scope, Bound::Unbounded);
        let digests = entries.map(|entry| Ok(named(entry?).0.parse::<Digest>()?));
        digests.try_collect().await
    }
}

/// What a scan of a repository found, with the last part of its key.
fn named<T>(entry: Entry<T>) -> (String, T) {
    let name = entry.key.into_iter().next().unwrap_or_default();
    (name, entry.record.value)
}
