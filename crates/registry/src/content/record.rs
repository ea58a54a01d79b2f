use std::{collections::HashSet, ops::Bound};

use futures_util::TryStreamExt as _;
use sealock_core::ObjectId;
use sealock_envelope::Header;
use sealock_store::{Store, Table};
use serde::{Deserialize, Serialize};

use crate::Error;

pub(crate) const CONTENTS: Table<ContentRecord> = Table::content("contents");

/// The location of the content of a digest. A registry has one record of each content, however many links it has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContentRecord {
    pub(crate) object: ObjectId,
    pub(crate) header: Header,
    /// The plaintext's length in bytes.
    pub(crate) size: u64,
    /// The number of repositories that have the content, as a blob or as a manifest. The last link to go frees it.
    pub(crate) links: u64,
}

/// Lists the objects of all registries' contents.
pub(crate) async fn referenced_objects(store: &Store) -> Result<HashSet<ObjectId>, Error> {
    let contents = store.scan(&CONTENTS, &[], Bound::Unbounded);
    let objects = contents.map_ok(|entry| entry.record.object);
    Ok(objects.try_collect().await?)
}
