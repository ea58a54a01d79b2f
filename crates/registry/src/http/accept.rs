use axum::http::{HeaderMap, header};
use sealock_core::Digest;

use crate::{
    Error, Manifest,
    manifests::manifest::{DOCKER_IMAGE, DOCKER_LIST, OCI_ARTIFACT, OCI_IMAGE, OCI_INDEX},
};

/// The media types of manifests that a client accepts.
///
/// A range such as `*/*` names none, and weights (`q=`) are ignored, as in distribution.
pub(super) struct AcceptedTypes<'a>(Vec<&'a str>);

impl<'a> AcceptedTypes<'a> {
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

    /// Checks that the client accepts the type if it is OCI's: an older client would take the manifest for Docker's.
    /// The words are ACR's and distribution's.
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

    /// Returns the substitute for a Docker list under a tag if the client does not accept lists: the manifest for Linux
    /// on amd64.
    ///
    /// <https://github.com/distribution/distribution/blob/v3.1.2/registry/handlers/manifests.go>
    ///
    /// # Errors
    /// [`Error::ManifestInvalid`] if `bytes` are not a list.
    pub(super) fn substitute_for(
        &self,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Option<Substitute>, Error> {
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
        Ok(Some(entry.map_or(Substitute::Missing, |entry| {
            Substitute::Manifest(entry.digest)
        })))
    }

    /// Checks that a client that does not accept lists accepts the substitute.
    ///
    /// # Errors
    /// [`Error::Schema2NotAccepted`]
    pub(super) fn check_substitute(&self, media_type: &str) -> Result<(), Error> {
        if media_type == DOCKER_IMAGE && !self.has(DOCKER_IMAGE) {
            return Err(Error::Schema2NotAccepted);
        }
        Ok(())
    }
}

/// The substitute for a list.
pub(super) enum Substitute {
    /// This manifest.
    Manifest(Digest),
    /// The list has no manifest for Linux on amd64.
    Missing,
}
