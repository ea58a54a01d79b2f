use sealock_core::{Digest, InvalidDigest, excerpt};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Error;

/// What a manifest refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The content's media type.
    pub media_type: String,
    /// The content.
    pub digest: Digest,
    /// What it is to the manifest.
    pub kind: Kind,
    /// In bytes, as the manifest says; 0 if it does not.
    pub size: u64,
    /// What an entry of an index runs on.
    pub platform: Option<Platform>,
    /// Whether it may live elsewhere: a foreign or non-distributable layer is never required.
    pub foreign: bool,
}

/// What an image runs on, as an index or the image's own configuration says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// Such as `amd64`.
    pub architecture: Option<String>,
    /// Such as `linux`.
    pub os: Option<String>,
}

/// What a descriptor is to its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An image's configuration.
    Config,
    /// An image's layer.
    Layer,
    /// An entry of an index: a manifest, or for some tools a blob.
    Child,
}

/// What the registry understands of a manifest. Its bytes are stored as they came.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// As it was pushed, without parameters.
    pub media_type: String,
    /// In the manifest's order.
    pub descriptors: Vec<Descriptor>,
    /// The manifest that this one is about, which need not be there.
    pub subject: Option<Digest>,
    /// What the artifact is: its own word for it, or else its configuration's media type.
    pub artifact_type: Option<String>,
    /// Its annotations, as they came.
    pub annotations: Map<String, Value>,
}

const FOREIGN_LAYERS: [&str; 2] = [
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
];

pub(crate) const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
pub(crate) const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const ORAS_ARTIFACT: &str = "application/vnd.cncf.oras.artifact.manifest.v1+json";

/// The artifact manifests, which have blobs instead of a configuration and layers, and no schema version.
const ARTIFACTS: [&str; 2] = [OCI_ARTIFACT, ORAS_ARTIFACT];

/// Further manifests that can be pushed.
const IMAGES: [&str; 4] = [OCI_IMAGE, OCI_INDEX, DOCKER_IMAGE, DOCKER_LIST];

const SCHEMA_1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    schema_version: Option<u32>,
    media_type: Option<String>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    blobs: Option<Vec<RawDescriptor>>,
    manifests: Option<Vec<RawDescriptor>>,
    subject: Option<RawDescriptor>,
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: Option<String>,
    digest: String,
    urls: Option<Vec<String>>,
    /// Neither decides anything, so neither is a reason to refuse a manifest.
    #[serde(default)]
    size: Value,
    #[serde(default)]
    platform: Value,
}

impl Manifest {
    /// Reads a manifest that came with `content_type`.
    ///
    /// <https://github.com/opencontainers/image-spec/blob/main/manifest.md>,
    /// <https://github.com/opencontainers/image-spec/blob/v1.1.0-rc2/artifact.md>
    ///
    /// # Errors
    /// [`Error::ManifestInvalid`] if it is no JSON object of schema version 2 (or an artifact's) with valid
    /// descriptors, or is of another type than it says.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, Error> {
        let text = str::from_utf8(bytes).map_err(|error| invalid(&error))?;
        let raw: RawManifest = serde_json::from_str(text).map_err(|error| invalid(&error))?;
        let content_type = content_type
            .and_then(|value| value.split(';').next())
            .map(str::trim)
            .filter(|value| !value.is_empty());
        let media_type = match (content_type, raw.media_type.as_deref()) {
            (Some(header), Some(body)) if header != body => {
                return Err(Error::ManifestInvalid(format!(
                    "its mediaType is '{}', but it was sent as '{}'",
                    excerpt(body),
                    excerpt(header)
                )));
            }
            (Some(either), _) | (None, Some(either)) => either.to_owned(),
            (None, None) => {
                let why =
                    "neither a Content-Type header nor a mediaType says what it is".to_owned();
                return Err(Error::ManifestInvalid(why));
            }
        };
        let is_artifact = ARTIFACTS.contains(&media_type.as_str());
        let is_schema_2 = is_artifact || raw.schema_version == Some(2);
        if !is_schema_2 || SCHEMA_1.contains(&media_type.as_str()) {
            let why = "only schema version 2 is supported; push with a client of 2017 or later"
                .to_owned();
            return Err(Error::ManifestInvalid(why));
        }
        if media_type.len() > 255 || !media_type.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::ManifestInvalid(
                "its media type is not one".to_owned(),
            ));
        }
        let config_type = raw
            .config
            .as_ref()
            .and_then(|config| config.media_type.clone());
        let of_kind = |kind, descriptors: Option<Vec<RawDescriptor>>| {
            descriptors
                .into_iter()
                .flatten()
                .map(move |raw| raw.parse(kind))
        };
        let descriptors = raw
            .config
            .into_iter()
            .map(|config| config.parse(Kind::Config))
            .chain(of_kind(Kind::Layer, raw.layers))
            .chain(of_kind(Kind::Layer, raw.blobs.filter(|_| is_artifact)))
            .chain(of_kind(Kind::Child, raw.manifests))
            .collect::<Result<_, _>>()?;
        let artifact_type = raw
            .artifact_type
            .filter(|artifact_type| !artifact_type.is_empty())
            .or(config_type);
        let subject = raw.subject.map(|subject| subject.digest.parse());
        Ok(Self {
            media_type,
            descriptors,
            subject: subject
                .transpose()
                .map_err(|error: InvalidDigest| invalid(&error))?,
            artifact_type,
            annotations: raw.annotations.unwrap_or_default(),
        })
    }

    /// Checks that a pushed manifest has a type of manifests. A registry serves each under its own type, and a
    /// browser renders what comes as `text/html`. Manifests that are there already are not checked.
    ///
    /// # Errors
    /// [`Error::ManifestInvalid`] if it has another type.
    pub fn check_type(&self) -> Result<(), Error> {
        let known = || IMAGES.iter().chain(&ARTIFACTS);
        if known().any(|known| *known == self.media_type) {
            return Ok(());
        }
        let known: Vec<_> = known().copied().collect();
        Err(Error::ManifestInvalid(format!(
            "its type '{}' is none of {}; what is to be free goes into artifactType or the configuration's mediaType",
            excerpt(&self.media_type),
            known.join(", ")
        )))
    }

    /// Checks what is asked of a manifest that is pushed, but not of one that is there already.
    ///
    /// # Errors
    /// [`Error::ManifestInvalid`] if an annotation is no text: the list of referrers repeats them, and
    /// clients can read none of it then.
    pub fn check_annotations(&self) -> Result<(), Error> {
        match self
            .annotations
            .iter()
            .find(|(_, value)| !value.is_string())
        {
            Some((name, _)) => Err(Error::ManifestInvalid(format!(
                "its annotation '{}' is not a string",
                excerpt(name)
            ))),
            None => Ok(()),
        }
    }
}

impl RawDescriptor {
    fn parse(self, kind: Kind) -> Result<Descriptor, Error> {
        let media_type = self.media_type.unwrap_or_default();
        Ok(Descriptor {
            digest: self.digest.parse().map_err(|error| invalid(&error))?,
            kind,
            size: self.size.as_u64().unwrap_or_default(),
            platform: serde_json::from_value(self.platform).unwrap_or_default(),
            foreign: self.urls.is_some_and(|urls| !urls.is_empty())
                || FOREIGN_LAYERS
                    .iter()
                    .any(|foreign| media_type.starts_with(foreign)),
            media_type,
        })
    }
}

fn invalid(why: &dyn std::fmt::Display) -> Error {
    Error::ManifestInvalid(excerpt(&why.to_string()).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

    fn digest(n: u8) -> String {
        format!("sha256:{}", hex::encode([n; 32]))
    }

    #[test]
    fn descriptors_are_found_in_order() {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"{}"}},"layers":[{{"mediaType":"l","digest":"{}"}},
            {{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"{}"}}],"unknown":1}}"#,
            digest(1),
            digest(2),
            digest(3)
        );
        let manifest =
            Manifest::parse(text.as_bytes(), Some(&format!("{OCI}; charset=utf-8"))).unwrap();
        assert_eq!(manifest.media_type, OCI);
        let found: Vec<_> = manifest
            .descriptors
            .iter()
            .map(|found| (found.kind, found.foreign))
            .collect();
        assert_eq!(
            found,
            [
                (Kind::Config, false),
                (Kind::Layer, false),
                (Kind::Layer, true)
            ]
        );
    }

    #[test]
    fn an_artifact_refers_to_its_blobs_and_needs_no_schema_version() {
        let text = format!(
            r#"{{"artifactType":"text/html","blobs":[{{"mediaType":"text/html","digest":"{}"}}]}}"#,
            digest(1)
        );
        for media_type in ARTIFACTS {
            let manifest = Manifest::parse(text.as_bytes(), Some(media_type)).unwrap();
            let kinds: Vec<_> = manifest.descriptors.iter().map(|it| it.kind).collect();
            assert_eq!(kinds, [Kind::Layer]);
            assert_eq!(manifest.artifact_type.as_deref(), Some("text/html"));
            assert!(manifest.check_type().is_ok());
        }
        assert!(Manifest::parse(text.as_bytes(), Some(OCI)).is_err());
        let image = format!(r#"{{"schemaVersion":2,{}"#, &text[1..]);
        let image = Manifest::parse(image.as_bytes(), Some(OCI)).unwrap();
        assert_eq!(image.descriptors, [], "an image has no blobs");
    }

    #[test]
    fn a_type_that_is_no_manifests_is_refused_and_named() {
        for media_type in [
            "text/html",
            "application/json",
            "application/xhtml+xml",
            "image/svg+xml",
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.oci.image.manifest.v1+json,text/html",
            "Application/vnd.oci.image.manifest.v1+json",
        ] {
            let body = r#"{"schemaVersion":2}"#;
            let manifest = Manifest::parse(body.as_bytes(), Some(media_type)).unwrap();
            let refused = manifest.check_type().unwrap_err().to_string();
            let named = format!("'{media_type}'");
            assert!(
                refused.contains(&named) && refused.contains(OCI),
                "{refused}"
            );
        }
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let mismatch = r#"{"schemaVersion":2,"mediaType":"a/b"}"#;
        for (body, content_type) in [
            ("", Some(OCI)),
            ("[]", Some(OCI)),
            ("{}", Some(OCI)),
            (r#"{"schemaVersion":1}"#, Some(OCI)),
            (r#"{"schemaVersion":2}"#, None),
            (r#"{"schemaVersion":2}"#, Some(SCHEMA_1[1])),
            (r#"{"schemaVersion":2}"#, Some("a b")),
            (r#"{"schemaVersion":2,"layers":[{}]}"#, Some(OCI)),
            (
                r#"{"schemaVersion":2,"layers":[{"digest":"x"}]}"#,
                Some(OCI),
            ),
            (mismatch, Some(OCI)),
        ] {
            let refused = Manifest::parse(body.as_bytes(), content_type);
            assert!(
                matches!(refused, Err(Error::ManifestInvalid(_))),
                "{body} {content_type:?}"
            );
        }
        assert!(Manifest::parse(mismatch.as_bytes(), None).is_ok());
    }
}
