use std::{cmp::Reverse, collections::HashMap, ops::Bound};

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use sealock_core::Digest;
use sealock_store::{Batch, Commit, Table};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Error, Registry, RepositoryName, Tag,
    content::blob::BLOBS,
    manifests::{
        attributes::{Attributes, AttributesChange},
        record::MANIFESTS,
    },
    registry::{Page, last_key_segment},
};

/// The attributes of each repository. A repository without a record has the default attributes.
pub(crate) const REPOSITORIES: Table<RepositoryRecord> = Table::content("repositories");

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RepositoryRecord {
    pub(crate) attributes: Attributes,
}

/// A summary of a repository.
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

/// A summary of a manifest.
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

/// The manifests and tags that were deleted with a repository.
pub struct DeletedRepository {
    /// Its manifests.
    pub manifests: Vec<Digest>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

impl Registry {
    /// Lists the repositories by name, including those hidden from the catalog.
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
                // Deleted meanwhile.
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
            let content = self.content_record(&digest).await?;
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

    /// Summarizes a repository. It is as old as its oldest manifest.
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

    /// Deletes a repository with its manifests, tags and blobs, if nothing in it is locked.
    ///
    /// # Errors
    /// [`Error::NameUnknown`] if it has no manifest.
    pub async fn delete_repository(
        &self,
        name: &RepositoryName,
    ) -> Result<DeletedRepository, Error> {
        // A manifest pushed meanwhile could refer to deleted content.
        let _lock = self.lock_exclusive_to_delete(name).await?;
        self.check_exists(name).await?;
        let tags = self.repository_tags(name).await?;
        let manifests = self.repository_manifests(name).await?;
        let tagged = tags.iter().map(|(_, tag)| tag.attributes);
        let pushed = manifests.iter().map(|(_, manifest)| manifest.attributes);
        for attributes in tagged.chain(pushed) {
            attributes.check_deletable()?;
        }
        let deleted = DeletedRepository {
            manifests: manifests.into_iter().map(|(digest, _)| digest).collect(),
            tags: tags.into_iter().map(|(tag, _)| tag).collect(),
        };
        for digest in &deleted.manifests {
            self.remove_manifest(name, digest).await?;
        }
        for digest in self.repository_blobs(name).await? {
            self.remove_blob(name, &digest).await?;
        }
        match self.store.commit(self.attributes_removal(name)).await? {
            // Unconditional: the repository lock is exclusive.
            Commit::Done | Commit::Conflict => Ok(deleted),
        }
    }

    async fn repository_blobs(&self, name: &RepositoryName) -> Result<Vec<Digest>, Error> {
        let scope = [&*self.id, name.as_str()];
        let entries = self.store.scan(&BLOBS, &scope, Bound::Unbounded);
        let digests = entries.map(|entry| Ok(last_key_segment(entry?).0.parse::<Digest>()?));
        digests.try_collect().await
    }

    /// Lists the repositories with a record in `table`, sorted by the bytes of their names. The cost does not depend on
    /// the number of records.
    pub(crate) fn repositories_in<'a, T: DeserializeOwned>(
        &'a self,
        table: &'a Table<T>,
        after: Option<&str>,
    ) -> BoxStream<'a, Result<RepositoryName, Error>> {
        let names = stream::try_unfold(after.map(key_after), async move |from| {
            let from = from.as_deref().map_or(Bound::Unbounded, Bound::Included);
            let Some(entry) = self.store.first(table, &[&self.id], from).await? else {
                return Ok(None);
            };
            let name = entry.key.into_iter().next().unwrap_or_default();
            Ok(Some((name.parse()?, Some(key_after(&name)))))
        });
        names.boxed()
    }

    /// Lists up to `limit` repositories that are not hidden from the catalog, sorted by the bytes of their names.
    pub(crate) async fn repositories(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RepositoryName>, Error> {
        let mut items = Vec::new();
        let mut names = self.repositories_in(&MANIFESTS, after);
        // One more than the page has, to learn if any follow.
        while items.len() <= limit
            && let Some(name) = names.try_next().await?
        {
            if self.repository_attributes(&name).await?.list_enabled {
                items.push(name);
            }
        }
        Ok(Page::first(limit, items))
    }

    /// Checks that the repository exists: it has a manifest.
    pub(crate) async fn check_exists(&self, repository: &RepositoryName) -> Result<(), Error> {
        let scope = [&*self.id, repository.as_str()];
        match self
            .store
            .first(&MANIFESTS, &scope, Bound::Unbounded)
            .await?
        {
            Some(_) => Ok(()),
            None => Err(Error::NameUnknown(repository.clone())),
        }
    }

    pub(crate) async fn repository_attributes(
        &self,
        repository: &RepositoryName,
    ) -> Result<Attributes, Error> {
        let key = [&*self.id, repository.as_str()];
        let record = self.store.get(&REPOSITORIES, &key).await?;
        Ok(record.map(|record| record.attributes).unwrap_or_default())
    }

    /// Checks that the repository is not locked against writing.
    ///
    /// Without the repository lock the answer may be out of date: it only spares a client the upload of a body that
    /// [`Self::lock_to_write`] would refuse.
    pub(crate) async fn check_writable(&self, repository: &RepositoryName) -> Result<(), Error> {
        let attributes = self.repository_attributes(repository).await?;
        attributes.check_writable()
    }

    /// Checks that the repository is not locked against deletion. The caller holds the repository lock.
    pub(crate) async fn check_deletable(&self, repository: &RepositoryName) -> Result<(), Error> {
        let attributes = self.repository_attributes(repository).await?;
        attributes.check_deletable()
    }

    /// Returns a batch that removes the repository's attributes.
    pub(crate) fn attributes_removal(&self, repository: &RepositoryName) -> Batch {
        Batch::new().delete(&REPOSITORIES, &[&self.id, repository.as_str()])
    }

    /// Removes the attributes of a repository whose last manifest was deleted. The caller must not hold the repository
    /// lock.
    pub(crate) async fn remove_attributes_if_empty(
        &self,
        repository: &RepositoryName,
    ) -> Result<(), Error> {
        // Most repositories have none and skip the lock.
        if self.repository_attributes(repository).await? == Attributes::default() {
            return Ok(());
        }
        let _lock = self.lock_exclusive(repository).await?;
        match self.check_exists(repository).await {
            Err(Error::NameUnknown(_)) => {}
            known => return known,
        }
        match self
            .store
            .commit(self.attributes_removal(repository))
            .await?
        {
            // Unconditional: the repository lock is exclusive.
            Commit::Done | Commit::Conflict => Ok(()),
        }
    }

    pub(crate) async fn change_repository(
        &self,
        repository: &RepositoryName,
        change: AttributesChange,
    ) -> Result<(), Error> {
        let _lock = self.lock_exclusive(repository).await?;
        let _publication = self.lock_publication().await?;
        self.check_exists(repository).await?;
        let record = RepositoryRecord {
            attributes: self.repository_attributes(repository).await?.with(change),
        };
        let key = [&*self.id, repository.as_str()];
        let batch = Batch::new().put(&REPOSITORIES, &key, &record);
        match self.store.commit(batch).await? {
            // Unconditional: the repository lock is exclusive.
            Commit::Done | Commit::Conflict => Ok(()),
        }
    }
}

/// Returns the least key after all keys of a repository. A zero byte separates the segments of a key.
fn key_after(name: &str) -> String {
    format!("{name}\u{1}")
}
