use std::{ops::Bound, pin::pin};

use futures_util::{Stream, TryStreamExt as _};
use sealock_core::{KeyIdentifier, Kid, VaultName};
use sealock_store::Record;

use crate::{
    Error, KeyBundle, KeyItem, Result, State,
    operation::{ListDeletedKeys, ListKeys, ListVersions, Operation, Permit},
    records::{KEYS, VERSIONS, VaultRecord},
};

/// The requested page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// The name after which it begins.
    pub after: Option<String>,
    /// The maximum number of entries.
    pub limit: usize,
}

/// A page of a list, in the order of names.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// The name after which the next page begins, if there is one.
    pub next: Option<String>,
}

impl<T> Listing<T> {
    fn empty() -> Self {
        Self {
            entries: Vec::new(),
            next: None,
        }
    }

    /// Collects the first `limit` entries of a stream of names and entries.
    async fn collect(
        stream: impl Stream<Item = Result<(String, T)>>,
        limit: usize,
    ) -> Result<Self> {
        let (mut stream, mut entries) = (pin!(stream), Vec::new());
        let mut last = None;
        while let Some((name, entry)) = stream.try_next().await? {
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

impl Permit<ListKeys> {
    /// Lists a page of the keys.
    pub async fn run(self, page: Page) -> Result<Listing<KeyItem>> {
        self.list_keys(State::Active, page).await
    }
}

impl Permit<ListDeletedKeys> {
    /// Lists a page of the deleted keys.
    pub async fn run(self, page: Page) -> Result<Listing<KeyItem>> {
        self.list_keys(State::Deleted, page).await
    }
}

impl<O: Operation<Target = VaultName, Records = Record<VaultRecord>>> Permit<O> {
    async fn list_keys(self, state: State, page: Page) -> Result<Listing<KeyItem>> {
        self.run_to_end(move |permit| async move {
            let (service, vault, vault_record) = (&permit.service, &permit.target, &permit.records);
            let keys = service
                .store
                .scan(&KEYS, &[vault.as_str()], page.start())
                .map_err(Error::from)
                .try_filter_map(|entry| async move {
                    let record = &entry.record;
                    if service.retention_has_passed(record.deletion)
                        || service.state_of(record) != state
                    {
                        return Ok(None);
                    }
                    let kid = Kid::new(vault, &record.name, record.current.clone());
                    let current = match service.stored_version(&kid).await {
                        Ok(stored) => stored.bundle(vault_record, record, vault),
                        // The key was purged after its record was read.
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
            Listing::collect(keys, page.limit).await
        })
        .await
    }
}

impl Permit<ListVersions> {
    /// Lists a page of the key's versions. The list is empty if there is no such key, as Microsoft says of its service
    /// (<https://github.com/Azure/azure-sdk-for-net/issues/16444>).
    pub async fn run(self, page: Page) -> Result<Listing<KeyBundle>> {
        self.run_to_end(move |permit| async move {
            let (service, vault_record) = (&permit.service, &permit.records);
            let KeyIdentifier { vault, key, .. } = &permit.target;
            let record = match service.active_key(vault, key, None).await {
                Ok(record) => record,
                Err(Error::KeyNotFound { .. } | Error::KeyDeleted { .. }) => {
                    return Ok(Listing::empty());
                }
                Err(error) => return Err(error),
            };
            let record = &record;
            let prefix = [vault.as_str(), key.folded()];
            let versions = service
                .store
                .scan(&VERSIONS, &prefix, page.start())
                .map_err(Error::from)
                .and_then(|entry| async move {
                    let stored = service.version_from_entry(vault, key, entry).await?;
                    let name = stored.version.to_string();
                    Ok((name, stored.bundle(vault_record, record, vault)))
                });
            Listing::collect(versions, page.limit).await
        })
        .await
    }
}

impl Page {
    fn start(&self) -> Bound<&str> {
        self.after
            .as_deref()
            .map_or(Bound::Unbounded, Bound::Excluded)
    }
}
