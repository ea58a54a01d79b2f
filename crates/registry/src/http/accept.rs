use axum::http::{HeaderMap, header};
use sealock_core::Digest;

use crate::{
    Error, Manifest,
    manifests::manifest::{DOCKER_IMAGE, DOCKER_LIST, OCI_ARTIFACT, OCI_IMAGE, OCI_INDEX},
};

/// The types of manifests that a client says it can read.
///
/// A range such as `*/*` names none, and weights (`q=`) mean nothing, as in distribution.
pub(super) struct Accepted<'a>(Vec<&'a str>);

impl<'a> Accepted<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter();
        let types = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|entry| entry.split(';').next())
            .map(str::trim);
        Self(types.collect())
    }

    fn has(&self, media_type: &str) -> bool {
        let mut accepted = self.0.iter();
        accepted.any(|accepted| accepted.eq_ignore_ascii_case(media_type))
    }

    /// Checks that the client names the type, if it is OCI's: clients that are older would take such a manifest for
    /// Docker's. The words are ACR's, and distribution's.
    ///
    /// <https://github.com/Azure/acr/pull/764>, <https://github.com/Azure/azure-cli/issues/25280>,
    /// <https://github.com/google/go-containerregistry/issues/1697>
    ///
    /// # Errors
    /// [`Error::ManifestNotAccepted`]
    pub(super) fn check(&self, media_type: &str) -> Result<(), Error> {
        let (found, unsupported) = match media_type {
            OCI_IMAGE => ("OCI manifest", "OCI manifests"),
            OCI_INDEX => ("OCI index", "OCI indexes"),
            OCI_ARTIFACT => ("OCI artifact", "OCI artifacts"),
            _ => return Ok(()),
        };
        if self.has(media_type) {
            return Ok(());
        }
        Err(Error::ManifestNotAccepted { found, unsupported })
    }

    /// Returns the manifest that stands for a list of Docker's under a tag, if the client cannot read lists: the one
    /// for Linux on amd64.
    ///
    /// <https://github.com/distribution/distribution/blob/v3.1.2/registry/handlers/manifests.go>
    ///
    /// # Errors
    /// [`Error::ManifestInvalid`] if `bytes` are no list.
    pub(super) fn instead_of(
        &self,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Option<Instead>, Error> {
        if media_type != DOCKER_LIST || self.has(DOCKER_LIST) {
            return Ok(None);
        }
        let list = Manifest::parse(bytes, Some(media_type))?;
        let mut entries = list.descriptors.into_iter();
        let entry = entries.find(|entry| {
            entry.platform.as_ref().is_some_and(|platform| {
                platform.os.as_deref() == Some("linux")
                    && platform.architecture.as_deref() == Some("amd64")
            })
        });
        Ok(Some(entry.map_or(Instead::Nothing, |entry| {
            Instead::Manifest(entry.digest)
        })))
    }

    /// Checks that a client which reads no lists at least reads the manifest that stands for one.
    ///
    /// # Errors
    /// [`Error::Schema2NotAccepted`]
    pub(super) fn check_instead(&self, media_type: &str) -> Result<(), Error> {
        if media_type == DOCKER_IMAGE && !self.has(DOCKER_IMAGE) {
            return Err(Error::Schema2NotAccepted);
        }
        Ok(())
    }
}

/// The stand-in for a list.
pub(super) enum Instead {
    /// This manifest.
    Manifest(Digest),
    /// The list has none for Linux on amd64.
    Nothing,
}
