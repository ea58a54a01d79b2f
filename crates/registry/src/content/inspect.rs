use std::ops::Range;

use sealock_core::Digest;
use sealock_envelope::{BINDING_LEN, HEADER_LEN};
use sealock_store::objects::Object;
use tokio::task::spawn_blocking;

use super::record::ContentRecord;
use crate::{
    DescriptorKind, Error, Manifest, Reference, Registry, RepositoryName,
    manifests::lookup::LocatedManifest,
};

/// The number of ciphertext bytes that are shown of an object.
const SHOWN_BYTES: u64 = 64;

/// An image as it lies on disk.
#[derive(Debug)]
pub struct Inspection {
    /// The repository.
    pub repository: RepositoryName,
    /// The requested tag or digest.
    pub reference: String,
    /// The digest of the manifest.
    pub digest: Digest,
    /// The layers of encryption, the inner one first.
    pub layers: Vec<&'static str>,
    /// The reason why not all objects are shown. `None` if all are.
    pub note: Option<String>,
    /// The objects of the manifest and of the content that it refers to.
    pub objects: Vec<ObjectView>,
}

/// An object as it lies on disk.
#[derive(Debug)]
pub struct ObjectView {
    /// Its role: `manifest`, `config`, `layer` or `child`.
    pub kind: &'static str,
    /// Its content's media type.
    pub media_type: String,
    /// Its content's digest.
    pub digest: Digest,
    /// Its content's size in bytes.
    pub size: u64,
    /// The name of its file.
    pub object: String,
    /// The size of its file in bytes.
    pub stored_size: u64,
    /// The plaintext of a full segment, in bytes.
    pub segment_size: usize,
    /// Its header, in hexadecimal.
    pub header: String,
    /// The first bytes of the ciphertext, in hexadecimal.
    pub ciphertext: String,
    /// Its binding at the end of the file, in hexadecimal.
    pub binding: String,
}

impl Registry {
    /// Shows how an image lies on disk. While the registry is revoked, its manifest cannot be read, so
    /// only the manifest's own object is shown.
    ///
    /// # Errors
    /// [`Error::NameUnknown`] if the repository does not exist, [`Error::ManifestUnknown`] if it has no such manifest.
    pub async fn inspect(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Inspection, Error> {
        self.check_exists(repository).await?;
        let target = self.resolve(repository, reference).await?;
        let LocatedManifest {
            digest,
            media_type,
            content,
            ..
        } = self.locate(repository, reference, &target).await?;
        let view = self.view("manifest", media_type.clone(), digest, &content);
        let mut objects = vec![view.await?];
        let note = match self.open_content(digest, &content).await {
            Ok(None) => {
                return Err(Error::ManifestUnknown {
                    repository: repository.clone(),
                    reference: reference.clone(),
                });
            }
            Ok(Some(found)) => {
                let manifest = Manifest::parse(&found.bytes().await?, Some(&media_type))?;
                for descriptor in manifest.descriptors {
                    if let Some(content) = self.content_record(&descriptor.digest).await? {
                        let kind = match descriptor.kind {
                            DescriptorKind::Config => "config",
                            DescriptorKind::Layer => "layer",
                            DescriptorKind::Child => "child",
                        };
                        objects.push(
                            self.view(kind, descriptor.media_type, descriptor.digest, &content)
                                .await?,
                        );
                    }
                }
                None
            }
            Err(Error::Denied(revocation)) => Some(format!(
                "the registry is revoked ({}), so only the manifest's own object can be shown",
                revocation.cause
            )),
            Err(error) => return Err(error),
        };
        Ok(Inspection {
            repository: repository.clone(),
            reference: reference.to_string(),
            digest,
            layers: content.header.layers.names(),
            note,
            objects,
        })
    }

    async fn view(
        &self,
        kind: &'static str,
        media_type: String,
        digest: Digest,
        content: &ContentRecord,
    ) -> Result<ObjectView, Error> {
        let (store, content) = (self.store.clone(), content.clone());
        spawn_blocking(move || {
            let object = store
                .blobs
                .open(content.object)?
                .ok_or_else(|| Error::Damaged {
                    digest,
                    why: format!("its object {} is missing", content.object),
                })?;
            // A damaged object may be too short to have them all.
            let len = object.len();
            let header_end = len.min(HEADER_LEN as u64);
            let binding_start = len.saturating_sub(BINDING_LEN as u64).max(header_end);
            let shown_end = binding_start.min(header_end + SHOWN_BYTES);
            Ok(ObjectView {
                kind,
                media_type,
                digest,
                size: content.size,
                object: content.object.to_string(),
                stored_size: len,
                segment_size: content.header.segment_size.bytes(),
                header: read_hex(&*object, 0..header_end)?,
                ciphertext: read_hex(&*object, header_end..shown_end)?,
                binding: read_hex(&*object, binding_start..len)?,
            })
        })
        .await?
    }
}

/// Reads a few bytes of an object, in hexadecimal.
fn read_hex(object: &dyn Object, range: Range<u64>) -> Result<String, Error> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or_default()];
    object.read_at(range.start, &mut bytes)?;
    Ok(hex::encode(bytes))
}
