use sealock_core::Digest;
use sealock_store::{Batch, Commit, Record, Table};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Registry, RepositoryName, Tag,
    manifests::{MANIFESTS, ManifestRecord, TAGS, TagRecord},
};

/// What was said of a repository as a whole. Most have no record: nothing was said of them.
pub(crate) const REPOSITORIES: Table<RepositoryRecord> = Table::content("repositories");

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RepositoryRecord {
    #[serde(default)]
    pub(crate) attributes: Attributes,
}

/// What may be done with a repository, a tag or a manifest. Each has its own.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-image-lock>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "they are Azure's")]
pub(crate) struct Attributes {
    pub(crate) delete_enabled: bool,
    pub(crate) write_enabled: bool,
    pub(crate) read_enabled: bool,
    pub(crate) list_enabled: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            delete_enabled: true,
            write_enabled: true,
            read_enabled: true,
            list_enabled: true,
        }
    }
}

/// A change of attributes. What it does not name stays.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "they are Azure's")]
pub(crate) struct AttributesChange {
    delete_enabled: Option<bool>,
    write_enabled: Option<bool>,
    read_enabled: Option<bool>,
    list_enabled: Option<bool>,
}

impl Attributes {
    pub(crate) fn check_readable(self) -> Result<(), Error> {
        allow(self.read_enabled)
    }

    pub(crate) fn check_writable(self) -> Result<(), Error> {
        allow(self.write_enabled)
    }

    /// Either lock keeps it from being deleted.
    pub(crate) fn check_deletable(self) -> Result<(), Error> {
        allow(self.write_enabled && self.delete_enabled)
    }

    fn with(self, change: AttributesChange) -> Self {
        Self {
            delete_enabled: change.delete_enabled.unwrap_or(self.delete_enabled),
            write_enabled: change.write_enabled.unwrap_or(self.write_enabled),
            read_enabled: change.read_enabled.unwrap_or(self.read_enabled),
            list_enabled: change.list_enabled.unwrap_or(self.list_enabled),
        }
    }
}

fn allow(is_allowed: bool) -> Result<(), Error> {
    if is_allowed {
        Ok(())
    } else {
        Err(Error::DisallowedOperation)
    }
}

impl Registry {
    pub(crate) async fn repository_attributes(
        &self,
        repository: &RepositoryName,
    ) -> Result<Attributes, Error> {
        let key = [&*self.id, repository.as_str()];
        let record = self.store.get(&REPOSITORIES, &key).await?;
        Ok(record.map(|record| record.attributes).unwrap_or_default())
    }

    /// Refuses what would be written to a locked repository. It stays so for as long as one has a turn.
    pub(crate) async fn check_writable(&self, repository: &RepositoryName) -> Result<(), Error> {
        let attributes = self.repository_attributes(repository).await?;
        attributes.check_writable()
    }

    /// Refuses what would be deleted from a locked repository, as [`Self::check_writable`] does.
    pub(crate) async fn check_deletable(&self, repository: &RepositoryName) -> Result<(), Error> {
        let attributes = self.repository_attributes(repository).await?;
        attributes.check_deletable()
    }

    /// A batch after which nothing is said of the repository any more.
    pub(crate) fn forget_attributes(&self, repository: &RepositoryName) -> Batch {
        Batch::new().delete(&REPOSITORIES, &[&self.id, repository.as_str()])
    }

    /// Forgets what was said of a repository that has no manifest any more: it is gone. For whoever has no turn.
    pub(crate) async fn forget_if_empty(&self, repository: &RepositoryName) -> Result<(), Error> {
        // Nothing was said of most, and nobody has to wait.
        if self.repository_attributes(repository).await? == Attributes::default() {
            return Ok(());
        }
        let _turn = self.sole_turn(repository).await?;
        match self.check_known(repository).await {
            Err(Error::NameUnknown(_)) => {}
            known => return known,
        }
        match self
            .store
            .commit(self.forget_attributes(repository))
            .await?
        {
            // It expects nothing: nobody else has a turn.
            Commit::Done | Commit::Conflict => Ok(()),
        }
    }

    pub(crate) async fn change_repository(
        &self,
        repository: &RepositoryName,
        change: AttributesChange,
    ) -> Result<(), Error> {
        let _turn = self.sole_turn(repository).await?;
        let _publication = self.publication().await?;
        self.check_known(repository).await?;
        let record = RepositoryRecord {
            attributes: self.repository_attributes(repository).await?.with(change),
        };
        let key = [&*self.id, repository.as_str()];
        let batch = Batch::new().put(&REPOSITORIES, &key, &record);
        match self.store.commit(batch).await? {
            // It expects nothing: nobody else has a turn.
            Commit::Done | Commit::Conflict => Ok(()),
        }
    }

    pub(crate) async fn change_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        change: AttributesChange,
    ) -> Result<TagRecord, Error> {
        let _turn = self.shared_turn(repository).await?;
        let key = [&*self.id, repository.as_str(), tag.as_str()];
        let changed = self.store.update(|| async {
            let existing = self.tag(repository, tag).await?;
            let mut record = existing.value.clone();
            record.attributes = record.attributes.with(change);
            let batch = Batch::new()
                .expect(&TAGS, &key, &existing)
                .put(&TAGS, &key, &record);
            Ok((batch, record))
        });
        changed.await
    }

    pub(crate) async fn change_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        change: AttributesChange,
    ) -> Result<ManifestRecord, Error> {
        let _turn = self.shared_turn(repository).await?;
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

    /// The tag, if the repository has it.
    pub(crate) async fn tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Record<TagRecord>, Error> {
        let key = [&*self.id, repository.as_str(), tag.as_str()];
        let found = self.store.get(&TAGS, &key).await?;
        found.ok_or(Error::TagUnknown)
    }
}
