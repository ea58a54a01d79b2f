//! The check that unfinished uploads can be resumed.

use sealock_envelope::RegistryKeys;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    session::SavedSession,
    session_file::{self, Head},
};
use crate::{
    Error, Registries, Registry,
    content::finding::{Finding, FindingKind, Verification},
};

/// The number of bytes of an upload's content that are opened at once, under one lease.
const BATCH_BYTES: usize = 1024 * 1024;

impl Registries {
    /// Finds files of uploads whose registry is unknown. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn verify_uploads(&self) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        for file_name in self.store.uploads.list()? {
            let Some(file) = self.store.uploads.get(file_name)? else {
                continue;
            };
            let head = Head::open(&file, &self.service_key);
            if head.is_none_or(|head| head.upload.file_name() != file_name) {
                findings.push(damaged(file_name, "its head was changed"));
            }
        }
        Ok(findings)
    }
}

impl Registry {
    /// Opens the file and the staged object of each unfinished upload.
    pub(crate) async fn verify_uploads(&self, found: &mut Verification) -> Result<(), Error> {
        let store = self.store.clone();
        for file_name in spawn_blocking(move || store.uploads.list()).await?? {
            let Some(file) = self.store.uploads.get(file_name)? else {
                continue;
            };
            let head = Head::open(&file, &self.service_key);
            if head.is_none_or(|head| head.registry != self.record.id) {
                continue;
            }
            found.uploads += 1;
            if let Some(why) = self.damage_of_upload(&file).await? {
                // The upload may have gone on while it was read.
                if self
                    .store
                    .uploads
                    .get(file_name)?
                    .is_some_and(|now| now == file)
                {
                    found.lost_uploads.push(lost(file_name, &why));
                }
            }
        }
        Ok(())
    }

    /// Returns the reason why an upload with this file cannot be resumed. `None` if it can.
    async fn damage_of_upload(&self, file: &[u8]) -> Result<Option<String>, Error> {
        let lease = self.lease().await?;
        let Some((head, saved)) = session_file::open(file, &lease.keys()) else {
            return Ok(Some("its file does not open".to_owned()));
        };
        let object = head.object;
        let store = self.store.clone();
        let staged = spawn_blocking(move || match store.blobs.open_staged(object)? {
            // An object is published before the file of its upload is removed.
            None => store.blobs.open(object),
            staged => Ok(staged),
        });
        let Some(staged) = staged.await?? else {
            return Ok(Some(format!("its staged object {object} is missing")));
        };
        if staged.len() < saved.stored_len() {
            return Ok(Some(format!("its staged object {object} is too short")));
        }
        let mut saved = saved;
        for segments in saved.segments(BATCH_BYTES) {
            let lease = self.lease().await?;
            let staged = staged.clone();
            let opened = spawn_blocking(move || {
                let mut stored = vec![0; segments.stored_len];
                staged.read_at(segments.offset, &mut stored)?;
                let opened = saved.opens(&lease.keys(), &segments, &mut stored);
                Ok::<_, Error>((saved, opened))
            });
            let (back, opened) = opened.await??;
            saved = back;
            if !opened {
                return Ok(Some(format!("its staged object {object} does not open")));
            }
        }
        Ok(None)
    }
}

impl SavedSession {
    /// Returns true if `stored`, some of its segments, opens.
    fn opens(
        &self,
        keys: &RegistryKeys<'_>,
        segments: &sealock_envelope::Segments,
        stored: &mut [u8],
    ) -> bool {
        let opened = keys.object(self.header()).and_then(|keys| {
            let all = 0..self.received();
            self.layout().open(&keys, segments, &all, stored).map(drop)
        });
        opened.is_ok()
    }
}

fn damaged(upload: Uuid, why: &str) -> Finding {
    Finding {
        kind: FindingKind::UploadDamaged,
        what: lost(upload, why),
    }
}

fn lost(upload: Uuid, why: &str) -> String {
    format!("the unfinished upload {upload} cannot be resumed: {why} (uploads/{upload})")
}
