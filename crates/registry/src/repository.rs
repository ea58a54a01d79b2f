use std::{collections::HashSet, ops::Bound};

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
    pub(crate) fn repository(&self, name: &RepositoryName) -> Result<Repository, Error> {
        let manifests = self.repository_manifests(name)?;
        let tags = self.repository_tags(name)?;
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
            attributes: self.repository_attributes(name)?,
        })
    }

    /// All manifests of a repository, by their digests.
    pub(crate) fn repository_manifests(
        &self,
        name: &RepositoryName,
    ) -> Result<Vec<(Digest, ManifestRecord)>, Error> {
        self.store
            .scan(&MANIFESTS, &[&self.id, name.as_str()], Bound::Unbounded)
            .map(|entry| {
                let (digest, record) = named(entry?);
                Ok((digest.parse()?, record))
            })
            .collect()
    }

    /// The manifests of a repository that may not be deleted, because they are locked or a tag on them is.
    pub(crate) fn locked_manifests(
        &self,
        name: &RepositoryName,
    ) -> Result<Vec<(Digest, ManifestRecord)>, Error> {
        let is_locked = |attributes: Attributes| attributes.check_deletable().is_err();
        let mut tagged = HashSet::new();
        for (_, tag) in self.repository_tags(name)? {
            if is_locked(tag.attributes) {
                tagged.insert(tag.digest);
            }
        }
        let mut manifests = self.repository_manifests(name)?;
        manifests
            .retain(|(digest, manifest)| tagged.contains(digest) || is_locked(manifest.attributes));
        Ok(manifests)
    }

    /// All tags of a repository, by their names.
    pub(crate) fn repository_tags(
        &self,
        name: &RepositoryName,
    ) -> Result<Vec<(Tag, TagRecord)>, Error> {
        self.store
            .scan(&TAGS, &[&self.id, name.as_str()], Bound::Unbounded)
            .map(|entry| {
                let (tag, record) = named(entry?);
                Ok((Tag(tag), record))
            })
            .collect()
    }

    /// Deletes a repository with all that it has, if nothing in it is locked.
    pub(crate) async fn delete_repository(&self, name: &RepositoryName) -> Result<Deleted, Error> {
        // No manifest that is pushed beside it refers to what goes.
        let _turn = self.sole_turn(name).await;
        self.check_known(name)?;
        self.check_deletable(name)?;
        let tags = self.repository_tags(name)?;
        let manifests = self.repository_manifests(name)?;
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
        for digest in self.repository_blobs(name)? {
            self.remove_blob(name, &digest).await?;
        }
        match self.store.commit(self.forget_attributes(name)).await? {
            // It expects nothing: nobody else has a turn.
            Commit::Done | Commit::Conflict => Ok(deleted),
        }
    }

    fn repository_blobs(&self, name: &RepositoryName) -> Result<Vec<Digest>, Error> {
        self.store
            .scan(&BLOBS, &[&self.id, name.as_str()], Bound::Unbounded)
            .map(|entry| Ok(named(entry?).0.parse()?))
            .collect()
    }
}

/// What a scan of a repository found, with the last part of its key.
fn named<T>(entry: Entry<T>) -> (String, T) {
    let name = entry.key.into_iter().next().unwrap_or_default();
    (name, entry.record.value)
}
