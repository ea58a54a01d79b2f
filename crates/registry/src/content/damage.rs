//! Checks of a damaged data directory that need no keys.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    ops::Bound,
};

use futures_util::{StreamExt as _, TryStreamExt as _};
use sealock_core::ObjectId;
use sealock_envelope::Layout;
use sealock_store::Store;
use serde::Serialize;

use super::{
    blob::BLOBS,
    finding::{Finding, FindingKind},
    record::CONTENTS,
    sweep::unmentioned,
};
use crate::{Error, manifests::record::MANIFESTS, registry::REGISTRIES};

/// Content whose object is missing, cannot be read, or has the wrong length.
#[derive(Debug, Serialize)]
pub struct DamagedContent {
    /// The registry's name, or its id if it has no record.
    pub registry: String,
    /// The digest of the content.
    pub digest: String,
    /// The repositories that refer to it.
    pub repositories: Vec<String>,
    /// The finding of its object.
    pub finding: Finding,
}

impl fmt::Display for DamagedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            registry,
            digest,
            repositories,
            finding,
        } = self;
        let repositories = match repositories.as_slice() {
            [] => "no repository".to_owned(),
            repositories => repositories.join(", "),
        };
        let what = &finding.what;
        write!(
            f,
            "{digest} of {repositories} in the registry {registry}: {what}"
        )
    }
}

/// Compares the records of contents with their objects, as far as that needs no keys.
///
/// # Errors
/// If the store fails.
pub async fn check_contents(store: &Store) -> Result<Vec<DamagedContent>, Error> {
    let mut damaged: BTreeMap<(String, String), Finding> = BTreeMap::new();
    let mut contents = store.scan(&CONTENTS, &[], Bound::Unbounded);
    while let Some(entry) = contents.try_next().await? {
        let record = entry.record.value;
        let object = record.object;
        let finding = match store.blobs.open(object) {
            Ok(Some(found)) => {
                let layout = Layout::new(&record.header, record.size);
                layout.check_len(found.len()).err().map(|error| Finding {
                    kind: FindingKind::ObjectDamaged,
                    what: format!("the object {object}: {error}"),
                })
            }
            Ok(None) => Some(Finding {
                kind: FindingKind::ObjectMissing,
                what: format!("the object {object} is missing"),
            }),
            Err(error) => Some(Finding {
                kind: FindingKind::ObjectDamaged,
                what: format!("the object {object} cannot be read: {error}"),
            }),
        };
        if let (Some(finding), [registry, digest]) = (finding, &entry.key[..]) {
            damaged.insert((registry.clone(), digest.clone()), finding);
        }
    }
    if damaged.is_empty() {
        return Ok(Vec::new());
    }
    let mut repositories: HashMap<(String, String), BTreeSet<String>> = HashMap::new();
    let blobs = store.scan(&BLOBS, &[], Bound::Unbounded);
    let manifests = store.scan(&MANIFESTS, &[], Bound::Unbounded);
    let manifests = manifests.map_ok(|entry| entry.key);
    let mut keys = blobs.map_ok(|entry| entry.key).chain(manifests);
    while let Some(key) = keys.try_next().await? {
        if let [registry, repository, digest] = &key[..] {
            let content = (registry.clone(), digest.clone());
            if damaged.contains_key(&content) {
                let names = repositories.entry(content).or_default();
                names.insert(repository.clone());
            }
        }
    }
    let mut names: HashMap<String, String> = HashMap::new();
    let mut registries = store.scan(&REGISTRIES, &[], Bound::Unbounded);
    while let Some(entry) = registries.try_next().await? {
        let record = entry.record.value;
        names.insert(record.id.to_string(), record.name.to_string());
    }
    let damaged = damaged.into_iter().map(|(content, finding)| {
        let names_of = repositories.remove(&content).unwrap_or_default();
        let (registry, digest) = content;
        DamagedContent {
            repositories: names_of.into_iter().collect(),
            registry: names.get(&registry).cloned().unwrap_or(registry),
            digest,
            finding,
        }
    });
    Ok(damaged.collect())
}

/// Lists the objects of contents that no record mentions.
///
/// # Errors
/// If the store fails.
pub async fn unmentioned_objects(store: &Store) -> Result<Vec<ObjectId>, Error> {
    unmentioned(store, store.blobs.list()?).await
}
