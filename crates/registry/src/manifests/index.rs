//! The indexes of tags and manifests. They have the keys of the records in another order, and change in the same
//! commits.

use std::ops::Bound;

use futures_util::{
    Stream, StreamExt as _, TryStreamExt as _, future,
    stream::{self, BoxStream},
};
use sealock_core::Digest;
use sealock_store::{Batch, Scan, Store, Table};

use super::{
    order::{Moment, Order, Position},
    record::{MANIFESTS, ManifestRecord, TAGS, TagRecord},
};
use crate::{Error, Registry, RepositoryName, Tag, registry::last_key_segment};

/// The tags of each repository by time. A key ends with a [`Moment`].
pub(crate) const TAGS_BY_TIME: Table<()> = Table::content("tags-by-time");

/// The tags of each manifest.
pub(crate) const TAGS_BY_MANIFEST: Table<()> = Table::content("tags-by-manifest");

/// The manifests of each repository by time. A key ends with a [`Moment`].
pub(crate) const MANIFESTS_BY_TIME: Table<()> = Table::content("manifests-by-time");

/// The number of changes in one commit of a rebuild.
const BATCH: usize = 500;

/// The number of times that an index is compared with a record. A commit may come between the two reads.
const COMPARISONS: usize = 3;

/// The key of a tag's or manifest's record: the registry, the repository, and the tag or digest.
type Owner<'a> = [&'a str; 3];

/// An entry of an index.
#[derive(PartialEq)]
struct IndexEntry {
    table: &'static Table<()>,
    key: Vec<String>,
}

/// An entry that an index should have and lacks, or has in vain.
struct Fault {
    entry: IndexEntry,
    is_missing: bool,
}

impl IndexEntry {
    fn new(table: &'static Table<()>, [registry, repository, _]: Owner<'_>, rest: &[&str]) -> Self {
        let key = [&[registry, repository][..], rest].concat();
        Self {
            table,
            key: key.into_iter().map(str::to_owned).collect(),
        }
    }

    fn of_tag(owner: Owner<'_>, record: &TagRecord) -> Vec<Self> {
        let [.., tag] = owner;
        let moment = Moment::new(record.updated, tag);
        let manifest = record.digest.to_string();
        vec![
            Self::new(&TAGS_BY_TIME, owner, &[moment.as_str()]),
            Self::new(&TAGS_BY_MANIFEST, owner, &[&manifest, tag]),
        ]
    }

    fn of_manifest(owner: Owner<'_>, record: &ManifestRecord) -> Vec<Self> {
        let [.., digest] = owner;
        let moment = Moment::new(record.pushed, digest);
        vec![Self::new(&MANIFESTS_BY_TIME, owner, &[moment.as_str()])]
    }

    fn put(&self, batch: Batch) -> Batch {
        batch.put(self.table, &segments(&self.key), &())
    }

    fn delete(&self, batch: Batch) -> Batch {
        batch.delete(self.table, &segments(&self.key))
    }
}

impl Registry {
    /// Adds to `batch` the changes of the indexes that belong to a change of a tag's record.
    pub(super) fn index_tag(
        &self,
        repository: &RepositoryName,
        tag: &str,
        before: Option<&TagRecord>,
        after: Option<&TagRecord>,
        batch: Batch,
    ) -> Batch {
        let of = |record| IndexEntry::of_tag([&self.id, repository.as_str(), tag], record);
        replace(before.map(of), after.map(of), batch)
    }

    /// Adds to `batch` the changes of the indexes that belong to the creation or deletion of a manifest's record.
    pub(super) fn index_manifest(
        &self,
        repository: &RepositoryName,
        digest: &str,
        before: Option<&ManifestRecord>,
        after: Option<&ManifestRecord>,
        batch: Batch,
    ) -> Batch {
        let of = |record| IndexEntry::of_manifest([&self.id, repository.as_str(), digest], record);
        replace(before.map(of), after.map(of), batch)
    }

    /// Lists the tags of a manifest by name.
    pub(crate) async fn tags_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Tag>, Error> {
        let scope = [&*self.id, repository.as_str(), &digest.to_string()];
        let entries = self.store.scan(&TAGS_BY_MANIFEST, &scope, Bound::Unbounded);
        let tags = entries.map_ok(|entry| Tag(last_key_segment(entry).0));
        Ok(tags.try_collect().await?)
    }

    /// Returns true if the manifest has a tag.
    pub(super) async fn is_tagged(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Error> {
        let scope = [&*self.id, repository.as_str(), &digest.to_string()];
        let first = self
            .store
            .first(&TAGS_BY_MANIFEST, &scope, Bound::Unbounded);
        Ok(first.await?.is_some())
    }

    /// Lists the moments that an index has of a repository, after `last`.
    pub(super) fn timeline(
        &self,
        index: &Table<()>,
        repository: &RepositoryName,
        order: Order,
        last: Option<&Position>,
    ) -> BoxStream<'static, Result<Moment, Error>> {
        let scope = [&*self.id, repository.as_str()];
        let last = last.map(|last| Moment::new(last.time, &last.name));
        if order != Order::NewestFirst {
            let from = last.as_ref().map(Moment::as_str);
            let from = from.map_or(Bound::Unbounded, Bound::Excluded);
            let entries = self.store.scan(index, &scope, from);
            let moments = entries.map(|entry| Moment::parse(last_key_segment(entry?).0));
            return moments.boxed();
        }
        let end = last.as_ref().map(Moment::end_of_time);
        let from = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.store.scan_back(index, &scope, from);
        let moments = newest_first(entries).try_skip_while(move |moment| {
            let is_listed = |last: &Moment| moment.time() == last.time() && moment <= last;
            future::ready(Ok(last.as_ref().is_some_and(is_listed)))
        });
        moments.boxed()
    }

    /// Describes the faults of the registry's indexes, one sentence each.
    pub(crate) async fn verify_indexes(&self) -> Result<Vec<String>, Error> {
        let faults = find_faults(&self.store, &[&self.id]).await?;
        let sentences = faults.into_iter().map(|Fault { entry, is_missing }| {
            let (index, key) = (entry.table.name(), entry.key[1..].join("/"));
            if is_missing {
                format!("the index {index} lacks {key}")
            } else {
                format!("the index {index} has {key}, which is gone")
            }
        });
        Ok(sentences.collect())
    }
}

/// Adds to `batch` the replacement of a record's entries.
fn replace(
    before: Option<Vec<IndexEntry>>,
    after: Option<Vec<IndexEntry>>,
    mut batch: Batch,
) -> Batch {
    for old in before.into_iter().flatten() {
        batch = old.delete(batch);
    }
    for new in after.into_iter().flatten() {
        batch = new.put(batch);
    }
    batch
}

/// Sorts entries that come backward: those of the same time go by name. Only the tags of one push have the same time.
fn newest_first(entries: Scan<()>) -> impl Stream<Item = Result<Moment, Error>> + Send {
    // Fused: it is asked once more after its end.
    let state = (entries.fuse(), Vec::<Moment>::new(), None);
    stream::try_unfold(state, async |(mut entries, mut group, mut ahead)| {
        if group.is_empty() {
            group.extend(ahead.take());
            while let Some(entry) = entries.try_next().await? {
                let moment = Moment::parse(last_key_segment(entry).0)?;
                if group
                    .first()
                    .is_some_and(|first| first.time() != moment.time())
                {
                    ahead = Some(moment);
                    break;
                }
                group.push(moment);
            }
        }
        Ok(group.pop().map(|moment| (moment, (entries, group, ahead))))
    })
}

/// Restores the indexes from the records. No record may change meanwhile.
///
/// # Errors
/// If the store fails.
pub async fn rebuild_indexes(store: &Store) -> Result<(), Error> {
    for faults in find_faults(store, &[]).await?.chunks(BATCH) {
        let mut batch = Batch::new();
        for Fault { entry, is_missing } in faults {
            batch = if *is_missing {
                entry.put(batch)
            } else {
                entry.delete(batch)
            };
        }
        let _unconditional = store.commit(batch).await?;
    }
    Ok(())
}

/// Compares the indexes with the records, in both directions. `scope` is empty or a registry.
async fn find_faults(store: &Store, scope: &[&str]) -> Result<Vec<Fault>, Error> {
    let mut faults = Vec::new();
    let mut tags = store.scan(&TAGS, scope, Bound::Unbounded);
    while let Some(found) = tags.try_next().await? {
        let key = [scope, &segments(&found.key)].concat();
        if let Some(owner) = key.first_chunk() {
            for entry in IndexEntry::of_tag(*owner, &found.record) {
                faults.extend(compare(store, *owner, entry).await?);
            }
        }
    }
    let mut manifests = store.scan(&MANIFESTS, scope, Bound::Unbounded);
    while let Some(found) = manifests.try_next().await? {
        let key = [scope, &segments(&found.key)].concat();
        if let Some(owner) = key.first_chunk() {
            for entry in IndexEntry::of_manifest(*owner, &found.record) {
                faults.extend(compare(store, *owner, entry).await?);
            }
        }
    }
    for table in [&TAGS_BY_TIME, &TAGS_BY_MANIFEST, &MANIFESTS_BY_TIME] {
        let mut entries = store.scan(table, scope, Bound::Unbounded);
        while let Some(found) = entries.try_next().await? {
            let key = [scope, &segments(&found.key)].concat();
            let ([registry, repository, ..], Some(last)) = (&*key, key.last()) else {
                continue;
            };
            let moment = Moment::parse((*last).to_owned());
            let name = moment.as_ref().map_or(*last, Moment::name);
            let name = if *table == TAGS_BY_MANIFEST {
                *last
            } else {
                name
            };
            let owner = [*registry, *repository, name];
            let entry = IndexEntry {
                table,
                key: key.iter().map(|segment| (*segment).to_owned()).collect(),
            };
            let fault = compare(store, owner, entry).await?;
            faults.extend(fault.filter(|fault| !fault.is_missing));
        }
    }
    Ok(faults)
}

/// Compares an entry with the record that it belongs to.
async fn compare(
    store: &Store,
    owner: Owner<'_>,
    entry: IndexEntry,
) -> Result<Option<Fault>, Error> {
    let mut is_missing = false;
    for _ in 0..COMPARISONS {
        let expected = if *entry.table == MANIFESTS_BY_TIME {
            let record = store.get(&MANIFESTS, &owner).await?;
            record.map(|record| IndexEntry::of_manifest(owner, &record))
        } else {
            let record = store.get(&TAGS, &owner).await?;
            record.map(|record| IndexEntry::of_tag(owner, &record))
        };
        is_missing = expected.is_some_and(|expected| expected.contains(&entry));
        let found = store.get(entry.table, &segments(&entry.key)).await?;
        if found.is_some() == is_missing {
            return Ok(None);
        }
    }
    Ok(Some(Fault { entry, is_missing }))
}

fn segments(key: &[String]) -> Vec<&str> {
    key.iter().map(String::as_str).collect()
}
