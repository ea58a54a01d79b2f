use std::ops::Bound;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sealock_core::Digest;
use sealock_store::{Batch, Record};

use super::{
    attributes::{Attributes, AttributesChange},
    order::{Order, Position},
    record::{TAGS, TagRecord},
};
use crate::{
    Error, Registry, RepositoryName, Tag,
    registry::{Page, last_key_segment},
};

impl Registry {
    /// Returns the record of a tag.
    pub(crate) async fn tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Record<TagRecord>, Error> {
        let key = [&*self.id, repository.as_str(), tag.as_str()];
        let found = self.store.get(&TAGS, &key).await?;
        found.ok_or(Error::TagUnknown)
    }

    /// Lists the tags of a repository by name.
    pub(crate) async fn repository_tags(
        &self,
        name: &RepositoryName,
    ) -> Result<Vec<(Tag, TagRecord)>, Error> {
        let scope = [&*self.id, name.as_str()];
        let entries = self.store.scan(&TAGS, &scope, Bound::Unbounded);
        let tags = entries.map_ok(|entry| {
            let (tag, record) = last_key_segment(entry);
            (Tag(tag), record)
        });
        Ok(tags.try_collect().await?)
    }

    /// Lists up to `limit` tags of a repository that are not hidden, sorted by their bytes.
    pub(crate) async fn tags(
        &self,
        repository: &RepositoryName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Tag>, Error> {
        self.check_exists(repository).await?;
        let tags = self.list::<TagRecord>(repository, Order::Name, after, limit);
        Ok(tags.await?.map(|(tag, _)| tag))
    }

    /// Lists up to `limit` tags of a manifest that are not hidden, with their records.
    pub(crate) async fn list_tags_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        order: Order,
        last: Option<&str>,
        limit: usize,
    ) -> Result<Page<(Tag, TagRecord)>, Error> {
        let mut tags = Vec::new();
        for tag in self.tags_of(repository, digest).await? {
            match self.tag(repository, &tag).await {
                Ok(record) if record.digest == *digest && record.attributes.list_enabled => {
                    tags.push((Position::of(&tag, &record.value), (tag, record.value)));
                }
                Ok(_) | Err(Error::TagUnknown) => {}
                Err(error) => return Err(error),
            }
        }
        let tags = order.sort_after(last, tags)?.into_iter();
        Ok(Page::first(limit, tags.map(|(_, tag)| tag).collect()))
    }

    /// Adds to `batch` the records that put `tags` on the manifest. Refuses locked tags.
    pub(super) async fn tag_manifest(
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
                created: now,
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
            let before = existing.as_ref().map(|existing| &existing.value);
            batch = self.index_tag(repository, tag.as_str(), before, Some(&record), batch);
        }
        Ok(batch)
    }

    pub(crate) async fn change_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        change: AttributesChange,
    ) -> Result<TagRecord, Error> {
        let _lock = self.lock_shared(repository).await?;
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

    pub(crate) async fn delete_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Digest, Error> {
        let _lock = self.lock_to_delete(repository).await?;
        let key = [&*self.id, repository.as_str(), tag.as_str()];
        let deleted = self.store.update(|| async {
            let existing = self.tag(repository, tag).await?;
            existing.attributes.check_deletable()?;
            let batch = Batch::new()
                .expect(&TAGS, &key, &existing)
                .delete(&TAGS, &key);
            let batch = self.index_tag(repository, tag.as_str(), Some(&existing), None, batch);
            Ok((batch, existing.digest))
        });
        deleted.await
    }
}
