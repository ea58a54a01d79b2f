use std::ops::Range;

use sealock_core::Digest;
use sealock_envelope::{BINDING_LEN, HEADER_LEN, Layers};
use sealock_store::objects::Object;
use tokio::task::spawn_blocking;

use super::record::ContentRecord;
use crate::{
    Error, Kind, Manifest, Reference, Registry, RepositoryName, manifests::lookup::Located,
};

/// How much of an object's ciphertext is shown.
const SHOWN_BYTES: u64 = 64;

/// What lies on disk for an image.
#[derive(Debug)]
pub struct Inspection {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag or digest that was asked for.
    pub reference: String,
    /// The manifest.
    pub digest: Digest,
    /// The layers of encryption, the inner one first.
    pub layers: Vec<&'static str>,
    /// Why not everything is shown.
    pub note: Option<String>,
    /// The manifest and what it refers to.
    pub objects: Vec<ObjectView>,
}

/// An object as it lies on disk.
#[derive(Debug)]
pub struct ObjectView {
    /// What it is to the image.
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
    /// The beginning of what follows, in hexadecimal.
    pub ciphertext: String,
    /// Its binding, the end of the file, in hexadecimal.
    pub binding: String,
}

impl Registry {
    /// Shows how an image lies on disk. While the registry is revoked, its manifest cannot be read, so
    /// only the manifest's own object is shown.
    ///
    /// # Errors
    /// [`Error::NameUnknown`] if there is no such repository, [`Error::ManifestUnknown`] if it has no such manifest.
    pub async fn inspect(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Inspection, Error> {
        self.check_known(repository).await?;
        let target = self.resolve(repository, reference).await?;
        let Located {
            digest,
            media_type,
            content,
            ..
        } = self.locate(repository, reference, &target).await?;
        let view = self.view("manifest", media_type.clone(), digest, &content);
        let mut objects = vec![view.await?];
        let note = match self.open(digest, &content).await {
            Ok(None) => {
                return Err(Error::ManifestUnknown {
                    repository: repository.clone(),
                    reference: reference.clone(),
                });
            }
            Ok(Some(found)) => {
                let manifest = Manifest::parse(&found.bytes().await?, Some(&media_type))?;
                for descriptor in manifest.descriptors {
                    if let Some(content) = self.content(&descriptor.digest).await? {
                        let kind = match descriptor.kind {
                            Kind::Config => "config",
                            Kind::Layer => "layer",
                            Kind::Child => "child",
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
            layers: match content.header.layers {
                Layers::Service => vec!["service"],
                Layers::ServiceAndCmk => vec!["service", "cmk"],
            },
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
            // A damaged object may be too short for all of them.
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
                header: shown(&*object, 0..header_end)?,
                ciphertext: shown(&*object, header_end..shown_end)?,
                binding: shown(&*object, binding_start..len)?,
            })
        })
        .await?
    }
}

/// A few bytes of an object, in hexadecimal.
fn shown(object: &dyn Object, range: Range<u64>) -> Result<String, Error> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or_default()];
    object.read_at(range.start, &mut bytes)?;
    Ok(hex::encode(bytes))
}
