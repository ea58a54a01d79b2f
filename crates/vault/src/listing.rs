use std::{ops::Bound, pin::pin};

use futures_util::{Stream, TryStreamExt as _};
use sealock_core::{KeyName, Kid, VaultName};

use crate::{
    Error, KeyBundle, KeyItem, KeyPermission, Requester, Result, State,
    records::{KEYS, VERSIONS},
    service::Service,
};

/// Which part of a list is asked for.
#[derive(Clone, Debug)]
pub struct Page {
    /// Behind which name it begins.
    pub after: Option<String>,
    /// How many entries it has at most.
    pub limit: usize,
}

/// A part of a list, in the order of names.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Behind which name the next part begins, if there is one.
    pub next: Option<String>,
}

impl<T> Listing<T> {
    fn empty() -> Self {
        Self {
            entries: Vec::new(),
            next: None,
        }
    }

    /// The first entries of `named`.
    async fn of(named: impl Stream<Item = Result<(String, T)>>, limit: usize) -> Result<Self> {
        let (mut named, mut entries) = (pin!(named), Vec::new());
        let mut last = None;
        while let Some((name, entry)) = named.try_next().await? {
            if entries.len() == limit {
                return Ok(Self {
                    entries,
                    next: last,
                });
            }
            entries.push(entry);
            last = Some(name);
        }
        Ok(Self {
            entries,
            next: None,
        })
    }
}

impl Service {
    /// The vault's keys that are in `state`.
    pub(crate) async fn list_keys(
        &self,
        requester: &Requester,
        vault: &VaultName,
        state: State,
        page: Result<Page>,
    ) -> Result<Listing<KeyItem>> {
        let vault_record = &self
            .permitted_vault(requester, vault, None, KeyPermission::List)
            .await?;
        let page = page?;
        let keys = self
            .store
            .scan(&KEYS, &[vault.as_str()], page.start())
            .map_err(Error::from)
            .try_filter_map(|entry| async move {
                let record = &entry.record;
                if self.is_over(record.deletion) || self.state_of(record) != state {
                    return Ok(None);
                }
                let kid = Kid::new(vault, &record.name, record.current.clone());
                let current = match self.stored_version(&kid).await {
                    Ok(stored) => stored.bundle(vault_record, record, vault),
                    // It was purged since its record was read.
                    Err(Error::KeyNotFound { .. }) => return Ok(None),
                    Err(error) => return Err(error),
                };
                let item = KeyItem {
                    current,
                    deleted: record.deletion.map(|deletion| deletion.deleted),
                    scheduled_purge: record.deletion.map(|deletion| deletion.scheduled_purge),
                };
                Ok(Some((record.name.folded().to_owned(), item)))
            });
        Listing::of(keys, page.limit).await
    }

    /// A key's versions; none, if there is no such key. Microsoft says so of its own service
    /// (<https://github.com/Azure/azure-sdk-for-net/issues/16444>).
    pub(crate) async fn list_versions(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        page: Result<Page>,
    ) -> Result<Listing<KeyBundle>> {
        let vault_record = &self
            .permitted_vault(requester, vault, Some(key), KeyPermission::List)
            .await?;
        let page = page?;
        let record = match self.active_key(vault, key, None).await {
            Ok(record) => record,
            Err(Error::KeyNotFound { .. } | Error::KeyDeleted { .. }) => {
                return Ok(Listing::empty());
            }
            Err(error) => return Err(error),
        };
        let record = &record;
        let prefix = [vault.as_str(), key.folded()];
        let versions = self
            .store
            .scan(&VERSIONS, &prefix, page.start())
            .map_err(Error::from)
            .and_then(|entry| async move {
                let stored = self.found_version(vault, key, entry).await?;
                let name = stored.version.to_string();
                Ok((name, stored.bundle(vault_record, record, vault)))
            });
        Listing::of(versions, page.limit).await
    }
}

impl Page {
    fn start(&self) -> Bound<&str> {
        self.after
            .as_deref()
            .map_or(Bound::Unbounded, Bound::Excluded)
    }
}
