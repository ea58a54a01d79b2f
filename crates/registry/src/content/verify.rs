use std::{collections::HashMap, ops::Bound};

use futures_util::TryStreamExt as _;
use sealock_core::Digest;
use tokio::task::spawn_blocking;

use super::{
    blob::BLOBS,
    finding::{Finding, FindingKind, Verification},
    record::{CONTENTS, ContentRecord},
    sweep::unmentioned,
};
use crate::{
    DescriptorKind, Error, Manifest, Registries, Registry, RepositoryName,
    manifests::record::{MANIFESTS, TAGS},
};

impl Registries {
    /// Finds objects that belong to no registry's content.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn verify_objects(&self) -> Result<Vec<Finding>, Error> {
        // An object that is removed after this is gone when it is looked for.
        let store = self.store.clone();
        let existing = spawn_blocking(move || store.blobs.list()).await??;
        let unmentioned = unmentioned(&self.store, existing).await?;
        let store = self.store.clone();
        let orphaned = spawn_blocking(move || {
            let mut findings = Vec::new();
            for object in unmentioned {
                if store.blobs.open(object)?.is_some() {
                    findings.push(Finding {
                        kind: FindingKind::ObjectOrphaned,
                        what: format!("no record refers to the object {object}"),
                    });
                }
            }
            Ok(findings)
        });
        orphaned.await?
    }
}

impl Registry {
    /// Opens every object and every unfinished upload, compares every digest and follows every reference.
    ///
    /// # Errors
    /// [`Error::Denied`] while the registry is revoked: nothing can be opened then.
    pub async fn verify(&self) -> Result<Verification, Error> {
        self.lease().await?;
        let mut verification = Verification::default();
        let mut links: HashMap<String, u64> = HashMap::new();
        self.verify_blobs(&mut verification, &mut links).await?;
        self.verify_manifests(&mut verification, &mut links).await?;
        self.verify_tags(&mut verification).await?;
        for fault in self.verify_indexes().await? {
            verification.add_unresolved(fault);
        }
        self.verify_contents(&mut verification, &links).await?;
        self.verify_uploads(&mut verification).await?;
        Ok(verification)
    }

    async fn verify_blobs(
        &self,
        found: &mut Verification,
        links: &mut HashMap<String, u64>,
    ) -> Result<(), Error> {
        let mut entries = self.store.scan(&BLOBS, &[&self.id], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            let (repository, digest) = two_key_segments(entry.key);
            found.references += 1;
            *links.entry(digest.clone()).or_default() += 1;
            let key = [&*self.id, &repository, &digest];
            if self.content_record(&digest.parse()?).await?.is_none()
                && self.store.get(&BLOBS, &key).await?.is_some()
            {
                found.add_unresolved(format!("the blob {digest} of {repository} has no content"));
            }
        }
        Ok(())
    }

    async fn verify_manifests(
        &self,
        found: &mut Verification,
        links: &mut HashMap<String, u64>,
    ) -> Result<(), Error> {
        let mut entries = self.store.scan(&MANIFESTS, &[&self.id], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            let (name, text) = two_key_segments(entry.key);
            let (repository, digest): (RepositoryName, Digest) = (name.parse()?, text.parse()?);
            found.references += 1;
            *links.entry(text).or_default() += 1;
            let Some(content) = self.content_record(&digest).await? else {
                if self.manifest_record(&repository, &digest).await?.is_some() {
                    found.add_unresolved(format!("the manifest {digest} of {name} has no content"));
                }
                continue;
            };
            let bytes = match self.open_content(digest, &content).await {
                Ok(Some(content)) => content.bytes().await,
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            let bytes = match bytes {
                Ok(bytes) => bytes,
                // Reported with the contents.
                Err(Error::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let manifest = Manifest::parse(&bytes, Some(&entry.record.media_type))?;
            for descriptor in manifest
                .descriptors
                .into_iter()
                .filter(|descriptor| !descriptor.foreign)
            {
                found.references += 1;
                let reference = descriptor.digest;
                let resolves = self.has_blob(&repository, &reference).await?
                    || descriptor.kind == DescriptorKind::Child
                        && self
                            .manifest_record(&repository, &reference)
                            .await?
                            .is_some();
                let is_missed = !resolves && !entry.record.sparse;
                // The store itself detects any other loss of a record, since it counts records.
                if is_missed && self.manifest_record(&repository, &digest).await?.is_some() {
                    found.deleted_references.push(format!(
                        "the manifest {digest} of {name} refers to {reference}, which was deleted; this is not a problem"
                    ));
                }
            }
        }
        Ok(())
    }

    async fn verify_tags(&self, found: &mut Verification) -> Result<(), Error> {
        let mut entries = self.store.scan(&TAGS, &[&self.id], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            let digest = entry.record.digest;
            let (name, tag) = two_key_segments(entry.key);
            found.references += 1;
            let repository: RepositoryName = name.parse()?;
            if self.manifest_record(&repository, &digest).await?.is_none()
                && self
                    .store
                    .get(&TAGS, &[&self.id, &name, &tag])
                    .await?
                    .is_some_and(|tag| tag.digest == digest)
            {
                found.add_unresolved(format!(
                    "the tag {name}:{tag} points to {digest}, which is gone"
                ));
            }
        }
        Ok(())
    }

    async fn verify_contents(
        &self,
        found: &mut Verification,
        links: &HashMap<String, u64>,
    ) -> Result<(), Error> {
        let mut entries = self.store.scan(&CONTENTS, &[&self.id], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            let text = entry.key.concat();
            let digest: Digest = text.parse()?;
            found.objects += 1;
            found.bytes += entry.record.size;
            if let Some(finding) = self.verify_content(digest, &entry.record).await? {
                // It may have been deleted while it was read.
                if self
                    .content_record(&digest)
                    .await?
                    .is_some_and(|now| now.object == entry.record.object)
                {
                    found.findings.push(finding);
                }
            }
            let counted = links.get(&text).copied().unwrap_or_default();
            let recorded = entry.record.links;
            if counted != recorded
                && self
                    .content_record(&digest)
                    .await?
                    .is_some_and(|now| now.links == recorded)
            {
                found.add_unresolved(format!(
                    "{digest} should have {recorded} links, but {counted} were found"
                ));
            }
        }
        Ok(())
    }

    async fn verify_content(
        &self,
        digest: Digest,
        record: &ContentRecord,
    ) -> Result<Option<Finding>, Error> {
        let finding = |kind, what: String| Ok(Some(Finding { kind, what }));
        if self.store.blobs.open(record.object)?.is_none() {
            let what = format!("the object {} of {digest} is missing", record.object);
            return finding(FindingKind::ObjectMissing, what);
        }
        let hashed = async {
            let Some(content) = self.open_content(digest, record).await? else {
                return Ok(digest);
            };
            content.hash(digest.algorithm()).await
        };
        match hashed.await {
            Ok(actual) if actual == digest => Ok(None),
            Ok(actual) => finding(
                FindingKind::DigestMismatch,
                format!(
                    "the object {} of {digest} has the content of {actual}",
                    record.object
                ),
            ),
            Err(error @ Error::Damaged { .. }) => {
                finding(FindingKind::ObjectDamaged, error.to_string())
            }
            Err(error) => Err(error),
        }
    }
}

fn two_key_segments(key: Vec<String>) -> (String, String) {
    let mut segments = key.into_iter();
    (
        segments.next().unwrap_or_default(),
        segments.next().unwrap_or_default(),
    )
}
