use std::{ops::Bound, str::FromStr, sync::Arc};

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};

use sealock_cmk::{Custody, Lease};
use sealock_core::{Clock, InvalidName};
use sealock_entra::TokenIssuer;
use sealock_envelope::ServiceKey;
use sealock_store::{Store, Table};
use serde::de::DeserializeOwned;

use crate::{
    Error, Refusal, RegistryRecord, RepositoryName, Settings, Tag, Uploads,
    manifests::{MANIFESTS, TAGS},
    stamps::Stamps,
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
    pub(crate) stamps: Stamps,
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
    /// [`Error::Denied`] while the registry is revoked; [`Error::RegistryUnknown`] if it was deleted in the meantime.
    pub async fn lease(&self) -> Result<Lease, Error> {
        match self.custody.lease().await {
            Ok(lease) => Ok(lease),
            // Boxed, so that what is rare makes no request's future larger.
            Err(error) => Err(Box::pin(self.without_lease(error)).await),
        }
    }

    async fn without_lease(&self, error: sealock_cmk::Error) -> Error {
        if let sealock_cmk::Error::Missing(_) = error {
            match self.is_deleted().await {
                Ok(true) => return Error::RegistryUnknown(self.record.name.clone()),
                Ok(false) => {}
                Err(error) => return error,
            }
        }
        error.into()
    }

    /// The registry's records in `table`, each with its name, by name.
    pub(crate) async fn named_records<N, T>(&self, table: &Table<T>) -> Result<Vec<(N, T)>, Error>
    where
        N: FromStr<Err = InvalidName>,
        T: DeserializeOwned,
    {
        let entries = self.store.scan(table, &[&self.id], Bound::Unbounded);
        let named = entries.map(|entry| {
            let entry = entry?;
            let name = entry.key.concat().parse().map_err(Refusal::Name)?;
            Ok((name, entry.record.value))
        });
        named.try_collect().await
    }

    /// The repositories that have a record in `table`, sorted by the bytes of their names. Each costs as
    /// much, however many records it has.
    pub(crate) fn repositories_in<'a, T: DeserializeOwned>(
        &'a self,
        table: &'a Table<T>,
        after: Option<&str>,
    ) -> BoxStream<'a, Result<RepositoryName, Error>> {
        let names = stream::try_unfold(after.map(behind), async move |from| {
            let from = from.as_deref().map_or(Bound::Unbounded, Bound::Included);
            let Some(entry) = self.store.first(table, &[&self.id], from).await? else {
                return Ok(None);
            };
            let name = entry.key.into_iter().next().unwrap_or_default();
            Ok(Some((name.parse()?, Some(behind(&name)))))
        });
        names.boxed()
    }

    /// The repositories with a manifest, up to `limit`, sorted by the bytes of their names.
    pub(crate) async fn repositories(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RepositoryName>, Error> {
        let mut items = Vec::new();
        let mut names = self.repositories_in(&MANIFESTS, after);
        while let Some(name) = names.try_next().await? {
            if !self.repository_attributes(&name).await?.list_enabled {
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
    pub(crate) async fn tags(
        &self,
        repository: &RepositoryName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Tag>, Error> {
        self.check_known(repository).await?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let scope = [&*self.id, repository.as_str()];
        let mut tags = self.store.scan(&TAGS, &scope, from);
        let mut items = Vec::new();
        while let Some(entry) = tags.try_next().await? {
            if !entry.record.attributes.list_enabled {
                continue;
            }
            if items.len() == limit {
                return Ok(Page { items, more: true });
            }
            items.push(Tag(entry.key.into_iter().next().unwrap_or_default()));
        }
        Ok(Page { items, more: false })
    }

    /// A repository is known as long as it has a manifest.
    pub(crate) async fn check_known(&self, repository: &RepositoryName) -> Result<(), Error> {
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
}

/// The least key behind all those of a repository, whose parts are separated by a zero byte.
fn behind(name: &str) -> String {
    format!("{name}\u{1}")
}
