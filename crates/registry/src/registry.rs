use std::{ops::Bound, str::FromStr, sync::Arc};

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use sealock_cmk::{Custody, Lease, Sku};
use sealock_core::{Clock, InvalidName, RegistryId, RegistryName};
use sealock_entra::TokenIssuer;
use sealock_envelope::ServiceKey;
use sealock_store::{Entry, Store, Table};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Error, Refusal, manifests::stamps::Stamps, upload::open_uploads::OpenUploads};

pub(crate) const REGISTRIES: Table<RegistryRecord> = Table::content("registries");

/// What is stored of a registry, besides its content and the custody of its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RegistryRecord {
    /// Immutable; keys are derived from it.
    pub id: RegistryId,
    /// The name.
    pub name: RegistryName,
    /// The service tier.
    pub sku: Sku,
    /// Whether the registry has a customer-managed key.
    pub encrypted: bool,
    /// When it was created.
    pub created: Timestamp,
}

/// Where Azure Container Registry does less than OCI Distribution, or is stricter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Offer the referrers API on a registry with a customer-managed key, too. ACR does not:
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-manage-artifact>
    pub referrers_on_cmk: bool,
    /// Take manifests that refer to content which was never pushed.
    pub sparse_manifests: bool,
}

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
    pub(crate) uploads: OpenUploads,
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

    /// Returns true if the registry was deleted since it was looked up.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn is_deleted(&self) -> Result<bool, Error> {
        let RegistryRecord { id, name, .. } = &self.record;
        let now = self.store.get(&REGISTRIES, &[name.as_str()]).await?;
        Ok(now.is_none_or(|now| now.id != *id))
    }
}

/// Splits an entry of a scan into the last part of its key and its record.
pub(crate) fn last_key_part<T>(entry: Entry<T>) -> (String, T) {
    let part = entry.key.into_iter().next().unwrap_or_default();
    (part, entry.record.value)
}
