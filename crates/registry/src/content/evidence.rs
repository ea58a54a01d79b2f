//! Evidence of how a registry's content lies on disk.

use std::ops::Bound;

use futures_util::TryStreamExt as _;
use rand::RngExt as _;
use sealock_cmk::Cause;
use sealock_core::Digest;
use sealock_envelope::{HEADER_LEN, Header, Layers};
use tokio::task::spawn_blocking;

use super::record::{CONTENTS, ContentRecord};
use crate::{Error, Registry};

/// The size of the largest content that is searched for in its stored bytes.
const SEARCHED_BYTES: u64 = 4 << 20;

/// The length of the excerpts that are searched for: longer than ciphertext repeats by chance.
const EXCERPT_LEN: usize = 16;

/// The content of a registry on disk.
#[derive(Debug)]
pub struct StorageEvidence {
    /// The number of objects.
    pub objects: u64,
    /// The size of their content in bytes.
    pub bytes: u64,
    /// The number of objects that lack a layer of encryption which the registry has.
    pub incomplete: u64,
    /// Objects that were read, in the order of their digests.
    pub samples: Vec<SampledObject>,
}

/// An object that was read.
#[derive(Debug)]
pub struct SampledObject {
    /// The name of its file.
    pub object: String,
    /// The digest of its content.
    pub digest: Digest,
    /// The size of its content in bytes.
    pub size: u64,
    /// The layers of encryption that its file names, the inner one first.
    pub layers: Vec<&'static str>,
    /// The finding.
    pub finding: SampleFinding,
}

/// The finding about an object that was read.
#[derive(Debug)]
pub enum SampleFinding {
    /// All its layers open, inside is the content of its digest, and its file does not show that content.
    Sealed,
    /// The registry is revoked, so that the outer layer cannot be opened.
    Locked(Cause),
    /// The file shows its content.
    Exposed,
    /// The file is damaged or missing.
    Damaged(String),
}

impl Registry {
    /// Counts the objects of the registry, and reads a random sample of up to `samples` of them.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn storage_evidence(&self, samples: usize) -> Result<StorageEvidence, Error> {
        let expected = if self.record.encrypted {
            Layers::ServiceAndCmk
        } else {
            Layers::Service
        };
        let mut evidence = StorageEvidence {
            objects: 0,
            bytes: 0,
            incomplete: 0,
            samples: Vec::new(),
        };
        let mut sample: Vec<(Digest, ContentRecord)> = Vec::new();
        let mut entries = self.store.scan(&CONTENTS, &[&self.id], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            let digest: Digest = entry.key.concat().parse()?;
            let record = entry.record.value;
            evidence.bytes += record.size;
            evidence.incomplete += u64::from(record.header.layers != expected);
            // Each object has the same chance to be in the sample (reservoir sampling).
            if sample.len() < samples {
                sample.push((digest, record));
            } else {
                let place = rand::rng().random_range(0..=evidence.objects);
                if let Some(kept) = usize::try_from(place)
                    .ok()
                    .and_then(|place| sample.get_mut(place))
                {
                    *kept = (digest, record);
                }
            }
            evidence.objects += 1;
        }
        sample.sort_by_key(|(digest, _)| digest.to_string());
        for (digest, record) in sample {
            evidence.samples.extend(self.examine(digest, record).await?);
        }
        Ok(evidence)
    }

    /// Reads an object. `None` if it was deleted in the meantime.
    async fn examine(
        &self,
        digest: Digest,
        record: ContentRecord,
    ) -> Result<Option<SampledObject>, Error> {
        let (layers, finding) = match self.stored_layers(&record).await? {
            None => (
                Vec::new(),
                Some(SampleFinding::Damaged("it is missing".to_owned())),
            ),
            Some(Err(why)) => (Vec::new(), Some(SampleFinding::Damaged(why))),
            Some(Ok(layers)) => (layers.names(), self.open_sample(digest, &record).await?),
        };
        Ok(finding.map(|finding| SampledObject {
            object: record.object.to_string(),
            digest,
            size: record.size,
            layers,
            finding,
        }))
    }

    /// Returns the layers that the header of an object's file names.
    async fn stored_layers(
        &self,
        record: &ContentRecord,
    ) -> Result<Option<Result<Layers, String>>, Error> {
        let (store, object) = (self.store.clone(), record.object);
        let read = spawn_blocking(move || {
            let Some(object) = store.blobs.open(object)? else {
                return Ok(None);
            };
            let mut header = [0; HEADER_LEN];
            if object.len() < HEADER_LEN as u64 {
                return Ok(Some(Err("it is shorter than a header".to_owned())));
            }
            object.read_at(0, &mut header)?;
            let header = Header::parse(&header);
            Ok(Some(
                header
                    .map(|header| header.layers)
                    .map_err(|error| error.to_string()),
            ))
        });
        read.await?
    }

    /// Opens an object through all its layers. `None` if it was deleted in the meantime.
    async fn open_sample(
        &self,
        digest: Digest,
        record: &ContentRecord,
    ) -> Result<Option<SampleFinding>, Error> {
        let content = match self.open_content(digest, record).await {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(None),
            Err(error) => return finding_of(error).map(Some),
        };
        let hashed = match content.clone().hash(digest.algorithm()).await {
            Ok(hashed) => hashed,
            Err(error) => return finding_of(error).map(Some),
        };
        if hashed != digest {
            let why = format!("it has the content of {hashed}");
            return Ok(Some(SampleFinding::Damaged(why)));
        }
        if record.size > SEARCHED_BYTES {
            return Ok(Some(SampleFinding::Sealed));
        }
        let plaintext = match content.bytes().await {
            Ok(plaintext) => plaintext,
            Err(error) => return finding_of(error).map(Some),
        };
        let (store, object) = (self.store.clone(), record.object);
        let shown = spawn_blocking(move || {
            let Some(object) = store.blobs.open(object)? else {
                return Ok(false);
            };
            let mut stored = vec![0; usize::try_from(object.len()).unwrap_or_default()];
            object.read_at(0, &mut stored)?;
            Ok::<_, Error>(shows(&stored, &plaintext))
        });
        Ok(Some(if shown.await?? {
            SampleFinding::Exposed
        } else {
            SampleFinding::Sealed
        }))
    }
}

/// Turns an error that says something about one object into a finding, and returns any other.
fn finding_of(error: Error) -> Result<SampleFinding, Error> {
    match error {
        Error::Denied(revocation) => Ok(SampleFinding::Locked(revocation.cause)),
        Error::Damaged { why, .. } => Ok(SampleFinding::Damaged(why)),
        error => Err(error),
    }
}

/// Returns true if the stored bytes contain the beginning, the middle or the end of the content.
fn shows(stored: &[u8], plaintext: &[u8]) -> bool {
    let last = plaintext.len().saturating_sub(EXCERPT_LEN);
    let excerpts = [0, last / 2, last].map(|start| plaintext.get(start..start + EXCERPT_LEN));
    excerpts
        .into_iter()
        .flatten()
        .any(|excerpt| stored.windows(EXCERPT_LEN).any(|window| window == excerpt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_is_found_at_its_beginning_middle_and_end() {
        let plaintext: Vec<u8> = (0..200).collect();
        for part in [&plaintext[..16], &plaintext[92..108], &plaintext[184..]] {
            let stored = [b"header".as_slice(), part, b"trailer"].concat();
            assert!(shows(&stored, &plaintext));
        }
        assert!(!shows(&plaintext[1..15], &plaintext));
        assert!(!shows(&[0; 300], &plaintext));
        assert!(!shows(b"short", b"short"));
    }
}
