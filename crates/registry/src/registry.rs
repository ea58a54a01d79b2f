use std::{iter, ops::Bound, sync::Arc};

use sealock_cmk::{Custody, Lease};
use sealock_core::Clock;
use sealock_entra::TokenIssuer;
use sealock_envelope::ServiceKey;
use sealock_store::{Store, Table};
use serde::de::DeserializeOwned;

use crate::{
    Error, RegistryRecord, RepositoryName, Settings, Tag, Uploads,
    content::InFlight,
    manifests::{MANIFESTS, TAGS},
    turns::Turns,
};

/// One registry. Clones share it.
#[derive(Clone)]
pub struct Registry {
    /// What is stored of it.
    pub record: RegistryRecord,
    /// The first part of all its keys in the store.
    pub(crate) id: Arc<str>,
    pub(crate) custody: Custody,
    pub(crate) service_key: Arc<ServiceKey>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) uploads: Uploads,
    pub(crate) in_flight: InFlight,
    pub(crate) turns: Turns,
    pub(crate) settings: Settings,
    /// Whose tokens it takes.
    pub(crate) entra: TokenIssuer,
}

/// How much a page has of what manifests say, unless one alone says more.
pub(crate) const PAGE_BYTES: usize = 1 << 20;

/// A part of a sorted list.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Whether there is more behind it.
    pub(crate) more: bool,
}

impl<T> Page<T> {
    /// The first `limit` of `items`.
    pub(crate) fn first(limit: usize, items: Vec<T>) -> Self {
        let mut page = Self { items, more: false };
        page.end_after(limit);
        page
    }

    /// Leaves no more than the first `length` items.
    pub(crate) fn end_after(&mut self, length: usize) {
        self.more |= self.items.len() > length;
        self.items.truncate(length);
    }

    /// The name of the last item, if there is more behind it.
    pub(crate) fn next(&self, name: impl Fn(&T) -> String) -> Option<String> {
        self.items.last().filter(|_| self.more).map(name)
    }
}

impl Registry {
    /// The permission to use the registry's keys for one batch of work.
    ///
    /// # Errors
    /// [`Error::Denied`] while the registry is revoked.
    pub async fn lease(&self) -> Result<Lease, Error> {
        Ok(self.custody.lease().await?)
    }

    /// The repositories that have a record in `table`, sorted by the bytes of their names. Each costs as
    /// much, however many records it has.
    pub(crate) fn repositories_in<'a, T: DeserializeOwned>(
        &'a self,
        table: &'a Table<T>,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<RepositoryName, Error>> + 'a {
        let mut from = after.map(behind);
        iter::from_fn(move || {
            let bound = from.as_deref().map_or(Bound::Unbounded, Bound::Included);
            let entry = self.store.scan(table, &[&self.id], bound).next()?;
            let name = entry.map(|entry| entry.key.into_iter().next().unwrap_or_default());
            from = name.as_deref().ok().map(behind);
            Some(name.map_err(Error::from).and_then(|name| name.parse()))
        })
    }

    /// The repositories with a manifest, up to `limit`, sorted by the bytes of their names.
    pub(crate) fn repositories(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RepositoryName>, Error> {
        let mut items = Vec::new();
        for name in self.repositories_in(&MANIFESTS, after) {
            let name = name?;
            if !self.repository_attributes(&name)?.list_enabled {
                continue;
            }
            if items.len() == limit {
                return Ok(Page { items, more: true });
            }
            items.push(name);
        }
        Ok(Page { items, more: false })
    }

    /// The tags of a repository, up to `limit`, sorted by their bytes.
    pub(crate) fn tags(
        &self,
        repository: &RepositoryName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Tag>, Error> {
        self.check_known(repository)?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tags = self
            .store
            .scan(&TAGS, &[&self.id, repository.as_str()], from);
        let mut tags = tags.filter(|entry| {
            entry
                .as_ref()
                .map_or(true, |entry| entry.record.attributes.list_enabled)
        });
        let mut items = Vec::new();
        while items.len() < limit {
            match tags.next() {
                Some(entry) => items.push(Tag(entry?.key.into_iter().next().unwrap_or_default())),
                None => return Ok(Page { items, more: false }),
            }
        }
        Ok(Page {
            items,
            more: tags.next().is_some(),
        })
    }

    /// A repository is known as long as it has a manifest.
    pub(crate) fn check_known(&self, repository: &RepositoryName) -> Result<(), Error> {
        let mut manifests = self.store.scan(
            &MANIFESTS,
            &[&self.id, repository.as_str()],
            Bound::Unbounded,
        );
        match manifests.next() {
            Some(_) => Ok(()),
            None => Err(Error::NameUnknown(repository.clone())),
        }
    }
}

/// The least key behind all those of a repository, whose parts are separated by a zero byte.
fn behind(name: &str) -> String {
    format!("{name}\u{1}")
}
