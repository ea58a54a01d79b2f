//! The lists of tags and manifests that clients read page by page.

use std::{fmt, ops::Bound, str::FromStr};

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use jiff::Timestamp;
use sealock_core::{Digest, excerpt};
use sealock_store::Table;
use serde::de::DeserializeOwned;

use super::{
    attributes::Attributes,
    index::{MANIFESTS_BY_TIME, TAGS_BY_TIME},
    order::{Moment, Order, Position},
    record::{MANIFESTS, ManifestRecord, TAGS, TagRecord},
};
use crate::{
    Error, Registry, RepositoryName, Tag,
    registry::{Page, last_key_segment},
};

/// The record of a tag or a manifest, as a list shows it.
pub(crate) trait Listed: DeserializeOwned + Send + 'static {
    /// Its name in the repository.
    type Name: FromStr<Err: Into<Error>> + fmt::Display;

    /// The records of each repository, by name.
    const BY_NAME: Table<Self>;

    /// Their index by time.
    const BY_TIME: Table<()>;

    /// Returns the time by which it is listed.
    fn time(&self) -> Timestamp;

    fn attributes(&self) -> Attributes;
}

impl Listed for TagRecord {
    type Name = Tag;

    const BY_NAME: Table<Self> = TAGS;
    const BY_TIME: Table<()> = TAGS_BY_TIME;

    fn time(&self) -> Timestamp {
        self.updated
    }

    fn attributes(&self) -> Attributes {
        self.attributes
    }
}

impl Listed for ManifestRecord {
    type Name = Digest;

    const BY_NAME: Table<Self> = MANIFESTS;
    const BY_TIME: Table<()> = MANIFESTS_BY_TIME;

    fn time(&self) -> Timestamp {
        self.pushed
    }

    fn attributes(&self) -> Attributes {
        self.attributes
    }
}

impl Position {
    /// Returns the position of a tag or a manifest.
    pub(crate) fn of<R: Listed>(name: &R::Name, record: &R) -> Self {
        Self {
            time: record.time(),
            name: name.to_string(),
        }
    }
}

impl Registry {
    /// Lists up to `limit` tags or manifests of a repository after the marker `last`, without those that are hidden.
    pub(crate) async fn list<R: Listed>(
        &self,
        repository: &RepositoryName,
        order: Order,
        last: Option<&str>,
        limit: usize,
    ) -> Result<Page<(R::Name, R)>, Error> {
        let mut records: BoxStream<'_, Result<(String, R), Error>> = if order == Order::Name {
            let from = last.map_or(Bound::Unbounded, Bound::Excluded);
            let scope = [&*self.id, repository.as_str()];
            let entries = self.store.scan(&R::BY_NAME, &scope, from);
            entries.map(|entry| Ok(last_key_segment(entry?))).boxed()
        } else {
            let last = match last {
                Some(last) => Some(self.position::<R>(repository, last).await?),
                None => None,
            };
            let moments = self.timeline(&R::BY_TIME, repository, order, last.as_ref());
            moments
                .try_filter_map(|moment| self.record_at(repository, moment))
                .boxed()
        };
        let mut items = Vec::new();
        // One more than the page has, to learn if any follow.
        while items.len() <= limit
            && let Some((name, record)) = records.try_next().await?
        {
            if record.attributes().list_enabled {
                items.push((name.parse().map_err(Into::into)?, record));
            }
        }
        Ok(Page::first(limit, items))
    }

    /// Returns the record that the index has at this moment. `None` if it is gone, or elsewhere in the list since the
    /// index was read.
    async fn record_at<R: Listed>(
        &self,
        repository: &RepositoryName,
        moment: Moment,
    ) -> Result<Option<(String, R)>, Error> {
        let name = moment.name().to_owned();
        let key = [&*self.id, repository.as_str(), &name];
        let found = self.store.get(&R::BY_NAME, &key).await?;
        let record = found.filter(|record| Moment::new(record.time(), &name) == moment);
        Ok(record.map(|record| (name, record.value)))
    }

    /// Returns the position of a marker in a list by time. Some clients send the last name that they saw.
    async fn position<R: Listed>(
        &self,
        repository: &RepositoryName,
        marker: &str,
    ) -> Result<Position, Error> {
        if let Some(position) = Position::parse(marker) {
            return Ok(position);
        }
        let unknown = || Error::MarkerUnknown(excerpt(marker).to_owned());
        let name: R::Name = marker.parse().map_err(|_| unknown())?;
        let text = name.to_string();
        let key = [&*self.id, repository.as_str(), &text];
        let found = self.store.get(&R::BY_NAME, &key).await?;
        Ok(Position::of(&name, &found.ok_or_else(unknown)?.value))
    }
}
