use std::{
    collections::{BTreeMap, HashSet},
    ops::Bound,
};

use futures_util::TryStreamExt as _;
use sealock_core::Digest;
use sealock_store::{Batch, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Error, Manifest, Reference, Registry, RepositoryName, Tag,
    registry::{PAGE_BYTES, Page},
};

/// Which manifests are about which, whether those are there or not.
pub(crate) const REFERRERS: Table<ReferrerRecord> = Table::content("referrers");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReferrerRecord {}

/// A manifest that is about another, as the referrers API describes it.
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
    /// Whether the referrers API is offered. With a customer-managed key ACR does not.
    pub(crate) fn offers_referrers(&self) -> bool {
        !self.record.encrypted || self.settings.referrers_on_cmk
    }

    /// Adds to `batch` that the manifest `digest` is about `subject`.
    pub(crate) fn refer(
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

    /// Undoes what [`refer`](Self::refer) added.
    pub(crate) fn unrefer(
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

    /// Deletes a manifest with every untagged manifest that is about it, about one of these, and so on, where the
    /// referrers API is offered. Deletes nothing if one of them is locked.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-manage-artifact#deleting-all-artifacts-in-the-graph>,
    /// <https://github.com/oras-project/artifacts-spec/blob/main/artifact-manifest.md#lifecycle-management>
    pub(crate) async fn delete_graph(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let turn = self.shared_turn(repository).await?;
        self.check_deletable(repository).await?;
        let has_referrers = async || {
            let subject = digest.to_string();
            let key = [&*self.id, repository.as_str(), &subject];
            let first = self.store.first(&REFERRERS, &key, Bound::Unbounded).await;
            first.map(|first| first.is_some())
        };
        if !self.offers_referrers() || !has_referrers().await? {
            return self.remove_manifest(repository, digest).await;
        }
        drop(turn);
        // No lock is set in between, and no referrer is left behind.
        let _turn = self.sole_turn(repository).await?;
        self.check_deletable(repository).await?;
        let graph = self.graph(repository, digest).await?;
        let mut locked = self.locked_manifests(repository).await?.into_iter();
        if locked.any(|(locked, _)| graph.contains(&locked)) {
            return Err(Error::DisallowedOperation);
        }
        // The manifest itself last, so that whoever is interrupted can begin anew.
        for digest in graph.iter().rev() {
            self.remove_manifest(repository, digest).await?;
        }
        Ok(())
    }

    /// A manifest and the untagged manifests that are about it, directly or not, each behind what it is about.
    async fn graph(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Digest>, Error> {
        if self.manifest_record(repository, digest).await?.is_none() {
            return Err(Error::ManifestUnknown {
                repository: repository.clone(),
                reference: Reference::Digest(*digest),
            });
        }
        let tags = self.repository_tags(repository).await?.into_iter();
        let tagged: HashSet<Digest> = tags.map(|(_, tag)| tag.digest).collect();
        let mut graph = vec![*digest];
        let mut at = 0;
        while let Some(subject) = graph.get(at) {
            let referrers = self.recorded_referrers(repository, subject).await?;
            let referrers = referrers.into_values();
            graph.extend(referrers.filter(|digest| !tagged.contains(digest)));
            at += 1;
        }
        Ok(graph)
    }

    /// The manifests that were pushed as being about `subject`, by digest.
    async fn recorded_referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<BTreeMap<String, Digest>, Error> {
        let mut digests = BTreeMap::new();
        let key = [&*self.id, repository.as_str(), &subject.to_string()];
        let mut entries = self.store.scan(&REFERRERS, &key, Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            let text = entry.key.concat();
            let digest = text.parse()?;
            digests.insert(text, digest);
        }
        Ok(digests)
    }

    /// The manifests that are about `subject`, by digest: those pushed as such, and those that clients
    /// listed under the referrers tag while they thought that there was no API.
    pub(crate) async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Referrer>, Error> {
        let mut digests = self.recorded_referrers(repository, subject).await?;
        for digest in self.listed_under_tag(repository, subject).await? {
            digests.insert(digest.to_string(), digest);
        }
        let mut page = Page {
            items: Vec::new(),
            more: false,
        };
        let mut bytes = 0;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        for (_, digest) in digests.range::<str, _>((start, Bound::Unbounded)) {
            let Some(referrer) = self.referrer(repository, *digest).await? else {
                continue;
            };
            let is_wanted = artifact_type
                .is_none_or(|wanted| referrer.artifact_type.as_deref() == Some(wanted));
            if !is_wanted {
                continue;
            }
            if page.items.len() >= limit || bytes >= PAGE_BYTES {
                page.more = true;
                break;
            }
            bytes += serde_json::to_string(&referrer).map_or(0, |text| text.len());
            page.items.push(referrer);
        }
        Ok(page)
    }

    /// What the index lists that clients keep under the referrers tag.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
    async fn listed_under_tag(
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

    /// Describes a manifest; `None` if it is not there.
    async fn referrer(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Option<Referrer>, Error> {
        let (found, bytes) = match self.manifest(repository, &Reference::Digest(digest)).await {
            Ok(found) => found,
            Err(Error::ManifestUnknown { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let manifest = Manifest::parse(&bytes, Some(&found.media_type))?;
        Ok(Some(Referrer {
            media_type: found.media_type,
            size: bytes.len() as u64,
            digest,
            artifact_type: manifest.artifact_type,
            annotations: manifest.annotations,
        }))
    }
}
