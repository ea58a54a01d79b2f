use std::ops::Bound;

use jiff::Timestamp;
use sealock_core::Digest;
use sealock_store::{Commit, Entry};

use crate::{
    Error, Reference, Registry, RepositoryName, Tag,
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
            attributes: self.repository_attributes(name)?.get(),
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
        self.check_known(name)?;
        let attributes = self.repository_attributes(name)?;
        attributes.get().check_deletable()?;
        let tags = self.repository_tags(name)?;
        let manifests = self.repository_manifests(name)?;
        let tagged = tags.iter().map(|(_, tag)| tag.attributes);
        let pushed = manifests.iter().map(|(_, manifest)| manifest.attributes);
        for attributes in tagged.chain(pushed) {
            attributes.check_deletable()?;
        }
        let mut deleted = Deleted {
            manifests: Vec::new(),
            tags: tags.into_iter().map(|(tag, _)| tag).collect(),
        };
        for (digest, _) in manifests {
            let reference = Reference::Digest(digest);
            match self.delete_manifest(name, &reference).await {
                Ok(()) => deleted.manifests.push(digest),
                // Another was faster.
                Err(Error::ManifestUnknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.delete_blobs(name).await?;
        let forgotten = self.forget_attributes(name, &attributes);
        match self.store.commit(forgotten).await? {
            // What somebody said of it in the meantime counts.
            Commit::Done | Commit::Conflict => Ok(deleted),
        }
    }

    async fn delete_blobs(&self, name: &RepositoryName) -> Result<(), Error> {
        let blobs: Vec<Digest> = self
            .store
            .scan(&BLOBS, &[&self.id, name.as_str()], Bound::Unbounded)
            .map(|entry| Ok(named(entry?).0.parse()?))
            .collect::<Result<_, Error>>()?;
        // Somebody may have pushed since the manifests were listed.
        let referred_to = self.referred_to(name).await?;
        for digest in blobs.iter().filter(|blob| !referred_to.contains(blob)) {
            match self.delete_blob(name, digest).await {
                Ok(()) | Err(Error::BlobUnknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What a scan of a repository found, with the last part of its key.
fn named<T>(entry: Entry<T>) -> (String, T) {
    let name = entry.key.into_iter().next().unwrap_or_default();
    (name, entry.record.value)
}
