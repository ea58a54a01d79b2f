use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    ops::Bound,
};

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

/// A repository at a glance.
pub struct Repository {
    /// The time at which its oldest manifest was pushed.
    pub created: Timestamp,
    /// The time at which a manifest was last pushed or tagged.
    pub updated: Timestamp,
    /// The number of its manifests.
    pub manifests: usize,
    /// The number of its tags.
    pub tags: usize,
    pub(crate) attributes: Attributes,
}

/// A manifest of a repository at a glance.
pub struct ManifestSummary {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// The time at which it was pushed.
    pub pushed: Timestamp,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// The content that went with a repository.
pub struct Deleted {
    /// Its manifests.
    pub manifests: Vec<Digest>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

impl Registry {
    /// Lists the repositories with a manifest by their names, also those that are hidden from the catalog.
    ///
    /// # Errors
    /// [`Error::Denied`] while the registry is revoked.
    pub async fn all_repositories(&self) -> Result<Vec<(RepositoryName, Repository)>, Error> {
        self.lease().await?;
        let mut repositories = Vec::new();
        let mut names = self.repositories_in(&MANIFESTS, None);
        while let Some(name) = names.try_next().await? {
            match self.repository(&name).await {
                Ok(repository) => repositories.push((name, repository)),
                // It went in the meantime.
                Err(Error::NameUnknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(repositories)
    }

    /// Lists the manifests of a repository, the newest first.
    ///
    /// # Errors
    /// [`Error::Denied`] while the registry is revoked.
    pub async fn manifest_summaries(
        &self,
        name: &RepositoryName,
    ) -> Result<Vec<ManifestSummary>, Error> {
        self.lease().await?;
        let mut tags: HashMap<Digest, Vec<Tag>> = HashMap::new();
        for (tag, record) in self.repository_tags(name).await? {
            tags.entry(record.digest).or_default().push(tag);
        }
        let mut summaries = Vec::new();
        for (digest, record) in self.repository_manifests(name).await? {
            let content = self.content(&digest).await?;
            summaries.push(ManifestSummary {
                tags: tags.remove(&digest).unwrap_or_default(),
                size: content.map_or(0, |content| content.size),
                media_type: record.media_type,
                pushed: record.pushed,
                digest,
            });
        }
        summaries.sort_by_key(|manifest| Reverse(manifest.pushed));
        Ok(summaries)
    }

    /// Looks at a repository, which is as old as its oldest manifest.
    ///
    /// # Errors
    /// [`Error::NameUnknown`] if it has no manifest.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Repository, Error> {
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
    ///
    /// # Errors
    /// [`Error::NameUnknown`] if it has no manifest.
    pub async fn delete_repository(&self, name: &RepositoryName) -> Result<Deleted, Error> {
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
