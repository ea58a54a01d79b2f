use sealock_core::Digest;
use sealock_store::{Batch, Record, objects::ObjectSet};

use super::record::{CONTENTS, ContentRecord};
use crate::{Error, Registry};

impl Registry {
    pub(crate) async fn content_record(
        &self,
        digest: &Digest,
    ) -> Result<Option<Record<ContentRecord>>, Error> {
        Ok(self
            .store
            .get(&CONTENTS, &[&self.id, &digest.to_string()])
            .await?)
    }

    /// Adds to `batch` one more link to the content of `digest`: to the existing content, or else to the fresh one. At
    /// least one of them must be given.
    pub(crate) fn link(
        &self,
        digest: &Digest,
        existing: Option<&Record<ContentRecord>>,
        fresh: Option<&ContentRecord>,
        batch: Batch,
    ) -> Batch {
        let Some(mut linked) = existing.map(|record| &record.value).or(fresh).cloned() else {
            debug_assert!(false, "a link to nothing");
            return batch;
        };
        linked.links += 1;
        let key = digest.to_string();
        batch
            .expect_same(&CONTENTS, &[&self.id, &key], existing)
            .put(&CONTENTS, &[&self.id, &key], &linked)
    }

    /// Adds to `batch` the removal of one link to the content of `digest`. The last link takes the object with it, and
    /// the returned flag is true.
    pub(crate) async fn unlink(
        &self,
        digest: &Digest,
        batch: Batch,
    ) -> Result<(Batch, bool), Error> {
        let key = digest.to_string();
        let key = [&*self.id, &key];
        let Some(existing) = self.content_record(digest).await? else {
            return Ok((batch, false));
        };
        let batch = batch.expect(&CONTENTS, &key, &existing);
        if existing.links > 1 {
            let mut unlinked = existing.value.clone();
            unlinked.links -= 1;
            Ok((batch.put(&CONTENTS, &key, &unlinked), false))
        } else {
            let batch = batch.remove(ObjectSet::Blobs, existing.object);
            Ok((batch.delete(&CONTENTS, &key), true))
        }
    }
}
