use std::{ops::Bound, str::FromStr, sync::Arc};

use futures_util::{StreamExt as _, TryStreamExt as _};
use sealock_cmk::{Custody, Lease, Sku};
use sealock_core::{Clock, InvalidName, NetworkRules, RegistryId, RegistryName};
use sealock_entra::{TokenIssuer, TrackedResource};
use sealock_envelope::ServiceKey;
use sealock_store::{Entry, Store, Table};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Error, Refusal, content::read_ahead::ReadAhead, manifests::stamps::Stamps,
    upload::open_uploads::OpenUploads,
};

/// The type of registries in ARM.
pub const RESOURCE_TYPE: &str = "Microsoft.ContainerRegistry/registries";

pub(crate) const REGISTRIES: Table<RegistryRecord> = Table::content("registries");

/// The record of a registry. The store holds its content and the custody of its key elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RegistryRecord {
    /// Immutable; keys are derived from it.
    pub id: RegistryId,
    /// The registry's name.
    pub name: RegistryName,
    /// The service tier.
    pub sku: Sku,
    /// True if the registry has a customer-managed key.
    pub encrypted: bool,
    /// Its place, tags and history.
    pub resource: TrackedResource,
    /// Its firewall.
    pub network: NetworkRules,
}

impl RegistryRecord {
    /// Returns its ARM id.
    pub fn resource_id(&self) -> String {
        self.resource.id(RESOURCE_TYPE, self.name.as_str())
    }

    /// Returns its ARM id as Azure writes it in errors, with `resourcegroups` in lower case.
    pub fn resource_id_in_errors(&self) -> String {
        self.resource_id()
            .replace("/resourceGroups/", "/resourcegroups/")
    }
}

/// The departures from Azure Container Registry towards plain OCI Distribution.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// True if the referrers API is offered with a customer-managed key, too. ACR does not offer it:
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-manage-artifact>
    pub referrers_on_cmk: bool,
    /// True if manifests may refer to missing content.
    pub sparse_manifests: bool,
}

/// A registry. Clones share its state.
#[derive(Clone)]
pub struct Registry {
    /// Its record.
    pub record: Arc<RegistryRecord>,
    /// The first segment of the keys of its records.
    pub(crate) id: Arc<str>,
    pub(crate) custody: Custody,
    pub(crate) service_key: Arc<ServiceKey>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) uploads: OpenUploads,
    pub(crate) read_ahead: ReadAhead,
    pub(crate) stamps: Stamps,
    pub(crate) settings: Settings,
    /// The issuer of the Entra tokens that it accepts.
    pub(crate) entra: TokenIssuer,
}

/// The limit of a page of manifests in bytes. A single larger manifest still makes a page.
pub(crate) const PAGE_BYTES: usize = 1 << 20;

/// A page of a sorted list.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// True if more items follow.
    pub(crate) has_more: bool,
}

impl<T> Page<T> {
    /// Creates a page of the first `limit` items.
    pub(crate) fn first(limit: usize, items: Vec<T>) -> Self {
        let mut page = Self {
            items,
            has_more: false,
        };
        page.truncate(limit);
        page
    }

    /// Drops the items after the first `length`.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.has_more |= self.items.len() > length;
        self.items.truncate(length);
    }

    /// Replaces each item by what `map` makes of it.
    pub(crate) fn map<U>(self, map: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(map).collect(),
            has_more: self.has_more,
        }
    }

    /// Returns the marker of the next page: the name of the last item. `None` on the last page.
    pub(crate) fn next_marker(&self, name: impl Fn(&T) -> String) -> Option<String> {
        self.items.last().filter(|_| self.has_more).map(name)
    }
}

impl Registry {
    /// Takes a lease on the registry's keys for one batch of work.
    ///
    /// # Errors
    /// [`Error::Denied`] while the registry is revoked; [`Error::RegistryUnknown`] if it was deleted in the meantime.
    pub async fn lease(&self) -> Result<Lease, Error> {
        match self.custody.lease().await {
            Ok(lease) => Ok(lease),
            // Boxed, so that a rare error does not enlarge every request's future.
            Err(error) => Err(Box::pin(self.lease_error(error)).await),
        }
    }

    async fn lease_error(&self, error: sealock_cmk::Error) -> Error {
        if let sealock_cmk::Error::Missing(_) = error {
            match self.is_deleted().await {
                Ok(true) => return Error::RegistryUnknown(self.record.name.clone()),
                Ok(false) => {}
                Err(error) => return error,
            }
        }
        error.into()
    }

    /// Lists the registry's records in `table` by name.
    pub(crate) async fn named_records<N, T>(&self, table: &Table<T>) -> Result<Vec<(N, T)>, Error>
    where
        N: FromStr<Err = InvalidName>,
        T: DeserializeOwned + Send + 'static,
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
        let RegistryRecord { id, name, .. } = &*self.record;
        let now = self.store.get(&REGISTRIES, &[name.as_str()]).await?;
        Ok(now.is_none_or(|now| now.id != *id))
    }
}

/// Splits an entry of a scan into the last segment of its key and its record.
pub(crate) fn last_key_segment<T>(entry: Entry<T>) -> (String, T) {
    let segment = entry.key.into_iter().next().unwrap_or_default();
    (segment, entry.record.value)
}
