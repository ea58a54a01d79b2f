use std::{collections::BTreeSet, ops::Bound};

use futures_util::{StreamExt as _, TryStreamExt as _};
use sealock_core::Digest;
use sealock_store::{Batch, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::manifest::Manifest;
use crate::{
    Error, Reference, Registry, RepositoryName, Tag,
    registry::{PAGE_BYTES, Page, last_key_segment},
};

/// The referrers of each subject. The subject need not exist.
pub(crate) const REFERRERS: Table<ReferrerRecord> = Table::content("referrers");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReferrerRecord {}

/// A referrer, as the referrers API describes it.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Referrer {
    media_type: String,
    size: u64,
    pub(crate) digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    annotations: Map<String, Value>,
}

impl Registry {
    /// Returns true if the referrers API is offered. ACR does not offer it with a customer-managed key.
    pub(crate) fn offers_referrers(&self) -> bool {
        !self.record.encrypted || self.settings.referrers_on_cmk
    }

    /// Adds to `batch` the referrer `digest` of `subject`.
    pub(crate) fn add_referrer(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        subject: &Digest,
        batch: Batch,
    ) -> Batch {
        let (subject, digest) = (subject.to_string(), digest.to_string());
        let key = [&*self.id, repository.as_str(), &subject, &digest];
        batch.put(&REFERRERS, &key, &ReferrerRecord {})
    }

    /// Adds to `batch` the removal of the referrer `digest` of `subject`.
    pub(crate) fn remove_referrer(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        subject: &Digest,
        batch: Batch,
    ) -> Batch {
        let (subject, digest) = (subject.to_string(), digest.to_string());
        let key = [&*self.id, repository.as_str(), &subject, &digest];
        batch.delete(&REFERRERS, &key)
    }

    /// Lists the manifests that were pushed with this subject, by digest.
    pub(super) async fn recorded_referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Digest>, Error> {
        let key = [&*self.id, repository.as_str(), &subject.to_string()];
        let entries = self.store.scan(&REFERRERS, &key, Bound::Unbounded);
        let digests = entries.map(|entry| Ok(last_key_segment(entry?).0.parse::<Digest>()?));
        digests.try_collect().await
    }

    /// Lists the referrers of `subject` by digest: those that were pushed with this subject, and those that clients
    /// listed under the referrers tag because they found no API.
    pub(crate) async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Referrer>, Error> {
        let key = [&*self.id, repository.as_str(), &subject.to_string()];
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let recorded = self.store.scan(&REFERRERS, &key, from);
        let mut recorded = recorded.map_ok(|entry| last_key_segment(entry).0);
        let mut next_recorded = recorded.try_next().await?;
        let under_tag = self.referrers_under_tag(repository, subject).await?;
        let under_tag = under_tag.iter().map(Digest::to_string);
        let mut under_tag: BTreeSet<String> = under_tag
            .filter(|digest| after.is_none_or(|after| after < digest.as_str()))
            .collect();
        let mut page = Page {
            items: Vec::new(),
            has_more: false,
        };
        let mut bytes = 0;
        while let Some(text) = next_recorded.iter().chain(under_tag.first()).min().cloned() {
            under_tag.remove(&text);
            if next_recorded.as_ref() == Some(&text) {
                next_recorded = recorded.try_next().await?;
            }
            let referrer = self.describe_referrer(repository, text.parse()?, artifact_type);
            let Some(referrer) = referrer.await? else {
                continue;
            };
            if page.items.len() >= limit || bytes >= PAGE_BYTES {
                page.has_more = true;
                break;
            }
            bytes += serde_json::to_string(&referrer).map_or(0, |text| text.len());
            page.items.push(referrer);
        }
        Ok(page)
    }

    /// Lists the entries of the index that clients keep under the referrers tag.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
    async fn referrers_under_tag(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Digest>, Error> {
        let encoded: String = subject.encoded().chars().take(64).collect();
        let tag = Tag(format!("{}-{encoded}", subject.algorithm()));
        match self.manifest(repository, &Reference::Tag(tag)).await {
            Ok((found, bytes)) => {
                let index = Manifest::parse(&bytes, Some(&found.media_type))?;
                let children = index.descriptors.into_iter();
                Ok(children.map(|descriptor| descriptor.digest).collect())
            }
            Err(Error::ManifestUnknown { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Describes a referrer. `None` if it does not exist, or if it has not the wanted type.
    async fn describe_referrer(
        &self,
        repository: &RepositoryName,
        digest: Digest,
        wanted: Option<&str>,
    ) -> Result<Option<Referrer>, Error> {
        if let Some(wanted) = wanted {
            // Spares the manifests of other types.
            let record = self.manifest_record(repository, &digest).await?;
            let recorded = record.and_then(|record| record.value.artifact_type);
            if recorded.is_some_and(|recorded| recorded != wanted) {
                return Ok(None);
            }
        }
        let (found, bytes) = match self.manifest(repository, &Reference::Digest(digest)).await {
            Ok(found) => found,
            Err(Error::ManifestUnknown { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let manifest = Manifest::parse(&bytes, Some(&found.media_type))?;
        if wanted.is_some_and(|wanted| manifest.artifact_type.as_deref() != Some(wanted)) {
            return Ok(None);
        }
        Ok(Some(Referrer {
            media_type: found.media_type,
            size: bytes.len() as u64,
            digest,
            artifact_type: manifest.artifact_type,
            annotations: manifest.annotations,
        }))
    }
}
