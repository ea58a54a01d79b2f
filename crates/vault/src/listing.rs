use std::ops::Bound;

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
    /// The first entries of `named`, whatever cannot be shown left out.
    fn of(named: impl Iterator<Item = Result<Option<(String, T)>>>, limit: usize) -> Result<Self> {
        let mut entries = Vec::new();
        let mut last = None;
        for entry in named {
            let Some((name, entry)) = entry? else {
                continue;
            };
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
    pub(crate) fn list_keys(
        &self,
        requester: &Requester,
        vault: &VaultName,
        state: State,
        page: Result<Page>,
    ) -> Result<Listing<KeyItem>> {
        let vault_record = self.permitted_vault(requester, vault, None, KeyPermission::List)?;
        let page = page?;
        let keys = self
            .store
            .scan(&KEYS, &[vault.as_str()], page.start())
            .map(|entry| {
                let entry = entry?;
                let record = &entry.record;
                if self.is_over(record.deletion) || self.state_of(record) != state {
                    return Ok(None);
                }
                let kid = Kid::new(vault, &record.name, record.current.clone());
                let current = match self.stored_version(&kid) {
                    Ok(stored) => stored.bundle(&vault_record, record, vault),
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
        Listing::of(keys, page.limit)
    }

    /// A key's versions.
    pub(crate) fn list_versions(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        page: Result<Page>,
    ) -> Result<Listing<KeyBundle>> {
        let vault_record =
            self.permitted_vault(requester, vault, Some(key), KeyPermission::List)?;
        let record = self.active_key(vault, key, None)?;
        let page = page?;
        let prefix = [vault.as_str(), key.folded()];
        let versions = self
            .store
            .scan(&VERSIONS, &prefix, page.start())
            .map(|entry| {
                let stored = self.found_version(vault, key, entry?)?;
                let name = stored.version.to_string();
                Ok(Some((name, stored.bundle(&vault_record, &record, vault))))
            });
        Listing::of(versions, page.limit)
    }
}

impl Page {
    fn start(&self) -> Bound<&str> {
        self.after
            .as_deref()
            .map_or(Bound::Unbounded, Bound::Excluded)
    }
}
