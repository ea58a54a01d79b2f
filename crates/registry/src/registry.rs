use std::{ops::Bound, sync::Arc};

use sealock_cmk::{Custody, Lease};
use sealock_core::Clock;
use sealock_entra::TokenIssuer;
use sealock_envelope::ServiceKey;
use sealock_store::Store;

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

/// A part of a sorted list.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Whether there is more behind it.
    pub(crate) more: bool,
}

impl<T> Page<T> {
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

    /// All repositories with a manifest, those that are not to be listed, too.
    pub(crate) fn repository_names(&self) -> Result<Vec<RepositoryName>, Error> {
        let mut names = Vec::new();
        let mut from = None;
        loop {
            let bound = from.as_deref().map_or(Bound::Unbounded, Bound::Included);
            let Some(entry) = self.store.scan(&MANIFESTS, &[&self.id], bound).next() else {
                return Ok(names);
            };
            let name = entry?.key.into_iter().next().unwrap_or_default();
            from = Some(behind(&name));
            names.push(name.parse()?);
        }
    }

    /// The repositories with a manifest, up to `limit`, sorted by the bytes of their names.
    pub(crate) fn repositories(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RepositoryName>, Error> {
        let mut from = after.map(behind);
        let mut items = Vec::new();
        loop {
            let bound = from.as_deref().map_or(Bound::Unbounded, Bound::Included);
            let Some(entry) = self.store.scan(&MANIFESTS, &[&self.id], bound).next() else {
                return Ok(Page { items, more: false });
            };
            let name = entry?.key.into_iter().next().unwrap_or_default();
            if items.len() == limit {
                return Ok(Page { items, more: true });
            }
            from = Some(behind(&name));
            let name = name.parse()?;
            if self.repository_attributes(&name)?.list_enabled {
                items.push(name);
            }
        }
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
