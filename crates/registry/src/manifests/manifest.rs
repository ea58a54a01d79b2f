use sealock_core::{Digest, excerpt};
use sealock_http::json::{ExactObject, List, Object, check_base64};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Error;

/// A reference of a manifest to content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The content's media type.
    pub media_type: String,
    /// The content's digest.
    pub digest: Digest,
    /// Its role in the manifest.
    pub kind: DescriptorKind,
    /// The content's size in bytes, according to the manifest.
    pub size: u64,
    /// The platform of an entry of an index.
    pub platform: Option<Platform>,
    /// True if the content lives elsewhere, as that of a foreign or non-distributable layer does. The registry does not
    /// require it.
    pub foreign: bool,
}

/// The platform of an image, from an index or from the image's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// The architecture, such as `amd64`.
    pub architecture: Option<String>,
    /// The operating system, such as `linux`.
    pub os: Option<String>,
}

/// The role of a descriptor in its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescriptorKind {
    /// An image's configuration.
    Config,
    /// An image's layer.
    Layer,
    /// An entry of an index: a manifest, or for some tools a blob.
    Child,
}

/// The parsed part of a manifest. Its bytes are stored as received.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Its media type, without parameters.
    pub media_type: String,
    /// Its references, in order.
    pub descriptors: Vec<Descriptor>,
    /// The manifest that it refers to as its subject. It need not exist.
    pub subject: Option<Digest>,
    /// Its artifact type, or else the media type of its configuration.
    pub artifact_type: Option<String>,
    /// Its annotations, as received.
    pub annotations: Map<String, Value>,
}

/// The length of the longest media type.
///
/// <https://www.rfc-editor.org/rfc/rfc6838#section-4.2>
const TYPE_MAX: usize = 127 + 1 + 127;

/// The prefix of the types of Docker's foreign layers, which are never pushed.
const FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";

pub(crate) const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
pub(crate) const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const ORAS_ARTIFACT: &str = "application/vnd.cncf.oras.artifact.manifest.v1+json";

/// The media types of manifests that can be pushed.
const TYPES: [&str; 6] = [
    OCI_IMAGE,
    OCI_INDEX,
    DOCKER_IMAGE,
    DOCKER_LIST,
    OCI_ARTIFACT,
    ORAS_ARTIFACT,
];

const SCHEMA_1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    schema_version: Option<u32>,
    media_type: Option<String>,
    config: Option<ExactObject<RawDescriptor>>,
    #[serde(default)]
    layers: Descriptors,
    #[serde(default)]
    blobs: Descriptors,
    #[serde(default)]
    manifests: Descriptors,
    subject: Option<ExactObject<RawDescriptor>>,
    artifact_type: Option<String>,
    annotations: Option<Map<String, Value>>,
}

type Descriptors = List<ExactObject<RawDescriptor>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: String,
    digest: String,
    size: u64,
    urls: Option<Vec<String>>,
    annotations: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "check_base64")]
    #[expect(dead_code, reason = "only its form is looked at")]
    data: (),
    #[expect(dead_code, reason = "only its form is looked at")]
    artifact_type: Option<String>,
    platform: Option<ExactObject<Platform>>,
}

impl Manifest {
    /// Parses a manifest that was sent as `content_type`.
    ///
    /// Every field must have its type, required fields must exist, and fields of another kind of manifest must not. So
    /// no client can take the manifest for something else (CVE-2021-41190).
    ///
    /// <https://github.com/opencontainers/image-spec/blob/main/manifest.md>,
    /// <https://github.com/opencontainers/image-spec/blob/main/image-index.md>,
    /// <https://github.com/opencontainers/image-spec/blob/v1.1.0-rc2/artifact.md>,
    /// <https://distribution.github.io/distribution/spec/manifest-v2-2/>
    ///
    /// # Errors
    /// [`Error::ManifestInvalid`]
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, Error> {
        let text = str::from_utf8(bytes).map_err(|error| invalid(&error))?;
        let Object(raw): ExactObject<RawManifest> =
            serde_json::from_str(text).map_err(|error| invalid(&error))?;
        let media_type = media_type(&raw, content_type)?;
        let form = Form::of(&media_type)?;
        if form != Form::Artifact && raw.schema_version != Some(2) {
            return Err(schema_too_old());
        }
        // The specification lets only these two omit it.
        if raw.media_type.is_none() && ![OCI_IMAGE, OCI_INDEX].contains(&&*media_type) {
            let why = format!("its mediaType is missing; expected '{media_type}'");
            return Err(Error::ManifestInvalid(why));
        }
        check_annotations(raw.annotations.as_ref())?;
        let subject = raw
            .subject
            .map(|Object(raw)| raw.parse(DescriptorKind::Child));
        let config_type = raw.config.as_ref();
        let config_type = config_type.map(|Object(config)| config.media_type.clone());
        let (config, lists) = (raw.config, [raw.layers, raw.blobs, raw.manifests]);
        Ok(Self {
            descriptors: form.descriptors(config, lists)?,
            subject: subject.transpose()?.map(|subject| subject.digest),
            artifact_type: raw
                .artifact_type
                .filter(|artifact_type| !artifact_type.is_empty())
                .or(config_type),
            annotations: raw.annotations.unwrap_or_default(),
            media_type,
        })
    }
}

impl Manifest {
    /// Returns its artifact type, unless that is longer than a media type can be.
    pub(crate) fn short_artifact_type(&self) -> Option<String> {
        let artifact_type = self.artifact_type.clone();
        artifact_type.filter(|artifact_type| artifact_type.len() <= TYPE_MAX)
    }
}

/// The form of a manifest: the fields in which it refers to content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A configuration and layers.
    Image,
    /// Other manifests, or for some tools blobs.
    Index,
    /// Blobs.
    Artifact,
}

impl Form {
    /// Returns the form of a media type. Refuses other types: the registry serves each manifest under its own type, and
    /// a browser would render `text/html`.
    fn of(media_type: &str) -> Result<Self, Error> {
        match media_type {
            OCI_IMAGE | DOCKER_IMAGE => return Ok(Self::Image),
            OCI_INDEX | DOCKER_LIST => return Ok(Self::Index),
            OCI_ARTIFACT | ORAS_ARTIFACT => return Ok(Self::Artifact),
            _ => {}
        }
        if SCHEMA_1.contains(&media_type) {
            return Err(schema_too_old());
        }
        Err(Error::ManifestInvalid(format!(
            "its type '{}' is none of {}; use artifactType or the configuration's mediaType for a type of your own",
            excerpt(media_type),
            TYPES.join(", ")
        )))
    }

    /// Collects the references of a manifest of this form, in order.
    fn descriptors(
        self,
        config: Option<ExactObject<RawDescriptor>>,
        [layers, blobs, manifests]: [Descriptors; 3],
    ) -> Result<Vec<Descriptor>, Error> {
        let foreign = |name: &str| {
            Err(Error::ManifestInvalid(format!(
                "its field '{name}' belongs to another kind of manifest"
            )))
        };
        match self {
            Self::Image | Self::Artifact if matches!(manifests, List::Items(_)) => {
                return foreign("manifests");
            }
            Self::Index | Self::Artifact if config.is_some() => return foreign("config"),
            Self::Index | Self::Artifact if matches!(layers, List::Items(_)) => {
                return foreign("layers");
            }
            _ => {}
        }
        let missing = |name: &str| {
            let why = format!("its field '{name}' is missing");
            Err(Error::ManifestInvalid(why))
        };
        let (list, name, kind) = match self {
            Self::Image => (layers, "layers", DescriptorKind::Layer),
            Self::Index => (manifests, "manifests", DescriptorKind::Child),
            Self::Artifact => (blobs, "blobs", DescriptorKind::Layer),
        };
        let list = match list {
            List::Items(items) => items,
            List::Null => Vec::new(),
            // The specification lets only these omit it.
            List::Missing if self == Self::Artifact => Vec::new(),
            List::Missing => return missing(name),
        };
        let config = match (self, config) {
            (Self::Image, None) => return missing("config"),
            (_, config) => config,
        };
        config
            .into_iter()
            .map(|Object(config)| config.parse(DescriptorKind::Config))
            .chain(list.into_iter().map(|Object(raw)| raw.parse(kind)))
            .collect()
    }
}

/// Returns the type in the header, or else the one in the manifest. If both exist, they must be equal.
fn media_type(raw: &RawManifest, content_type: Option<&str>) -> Result<String, Error> {
    let content_type = content_type
        .and_then(|value| value.split(';').next())
        .map(str::trim)
        .filter(|value| !value.is_empty());
    match (content_type, raw.media_type.as_deref()) {
        (Some(header), Some(body)) if header != body => Err(Error::ManifestInvalid(format!(
            "its mediaType is '{}', but it was sent as '{}'",
            excerpt(body),
            excerpt(header)
        ))),
        (Some(either), _) | (None, Some(either)) => Ok(either.to_owned()),
        (None, None) => {
            let why = "it has neither a Content-Type header nor a mediaType".to_owned();
            Err(Error::ManifestInvalid(why))
        }
    }
}

fn schema_too_old() -> Error {
    let why = "only schema version 2 is supported; push with a client of 2017 or later".to_owned();
    Error::ManifestInvalid(why)
}

/// Refuses annotations that are not strings. Some clients can read neither such a manifest nor a list of referrers that
/// repeats the annotation.
fn check_annotations(annotations: Option<&Map<String, Value>>) -> Result<(), Error> {
    let mut annotations = annotations.into_iter().flatten();
    match annotations.find(|(_, value)| !value.is_string()) {
        Some((name, _)) => Err(Error::ManifestInvalid(format!(
            "its annotation '{}' is not a string",
            excerpt(name)
        ))),
        None => Ok(()),
    }
}

impl RawDescriptor {
    fn parse(self, kind: DescriptorKind) -> Result<Descriptor, Error> {
        let refuse = |why: &str| {
            let digest = excerpt(&self.digest);
            Err(Error::ManifestInvalid(format!(
                "its descriptor of {digest} is invalid: {why}"
            )))
        };
        check_annotations(self.annotations.as_ref())?;
        if self.media_type.is_empty() {
            return refuse("the mediaType is empty");
        }
        if i64::try_from(self.size).is_err() {
            return refuse("the size is 2^63 or more");
        }
        let foreign = self.urls.is_some_and(|urls| !urls.is_empty());
        // OCI's non-distributable layers may be pushed like any other.
        if !foreign && self.media_type.starts_with(FOREIGN_LAYER) {
            return refuse("a foreign layer needs urls");
        }
        Ok(Descriptor {
            digest: self.digest.parse().map_err(|error| invalid(&error))?,
            kind,
            size: self.size,
            platform: self.platform.map(|Object(platform)| platform),
            foreign,
            media_type: self.media_type,
        })
    }
}

fn invalid(why: &dyn std::fmt::Display) -> Error {
    Error::ManifestInvalid(excerpt(&why.to_string()).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(n: u8) -> String {
        format!("sha256:{}", hex::encode([n; 32]))
    }

    fn descriptor(media_type: &str, n: u8) -> Value {
        json!({"mediaType": media_type, "digest": digest(n), "size": n})
    }

    fn parse(manifest: &Value, content_type: Option<&str>) -> Result<Manifest, Error> {
        Manifest::parse(manifest.to_string().as_bytes(), content_type)
    }

    fn image(media_type: &str) -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": descriptor("c", 1),
            "layers": [descriptor("l", 2)],
        })
    }

    #[test]
    fn descriptors_keep_their_order() {
        let mut foreign = descriptor(&format!("{FOREIGN_LAYER}.gzip"), 3);
        foreign["urls"] = json!(["https://example.org"]);
        let mut manifest = image(OCI_IMAGE);
        manifest["layers"] = json!([descriptor("l", 2), foreign]);
        manifest["unknown"] = json!([1]);
        let manifest = parse(&manifest, Some(&format!("{OCI_IMAGE}; charset=utf-8"))).unwrap();
        assert_eq!(manifest.media_type, OCI_IMAGE);
        let found = manifest.descriptors.iter();
        let found: Vec<_> = found.map(|it| (it.kind, it.size, it.foreign)).collect();
        assert_eq!(
            found,
            [
                (DescriptorKind::Config, 1, false),
                (DescriptorKind::Layer, 2, false),
                (DescriptorKind::Layer, 3, true)
            ]
        );
    }

    #[test]
    fn artifact_refers_to_blobs_and_needs_no_schema_version() {
        for media_type in [OCI_ARTIFACT, ORAS_ARTIFACT] {
            let artifact = json!({"mediaType": media_type, "artifactType": "text/html", "blobs": [descriptor("text/html", 1)]});
            let manifest = parse(&artifact, Some(media_type)).unwrap();
            let kinds: Vec<_> = manifest.descriptors.iter().map(|it| it.kind).collect();
            assert_eq!(kinds, [DescriptorKind::Layer]);
            assert_eq!(manifest.artifact_type.as_deref(), Some("text/html"));
            assert!(parse(&artifact, Some(OCI_IMAGE)).is_err());
        }
        let mut image = image(OCI_IMAGE);
        image["blobs"] = json!([descriptor("b", 9)]);
        let image = parse(&image, Some(OCI_IMAGE)).unwrap();
        assert_eq!(image.descriptors.len(), 2, "an image has no blobs");
    }

    #[test]
    fn unknown_manifest_type_is_refused_by_name() {
        for media_type in [
            "text/html",
            "application/json",
            "application/xhtml+xml",
            "image/svg+xml",
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.oci.image.manifest.v1+json,text/html",
            "Application/vnd.oci.image.manifest.v1+json",
            "a b",
        ] {
            let body = json!({"schemaVersion": 2});
            let refused = parse(&body, Some(media_type)).unwrap_err().to_string();
            let named = format!("'{media_type}'");
            assert!(
                refused.contains(&named) && TYPES.iter().all(|known| refused.contains(known)),
                "{refused}"
            );
        }
    }

    #[test]
    fn only_oci_manifests_may_omit_their_media_type() {
        for media_type in TYPES {
            let mut manifest = match media_type {
                OCI_IMAGE | DOCKER_IMAGE => image(media_type),
                OCI_INDEX | DOCKER_LIST => {
                    json!({"schemaVersion": 2, "mediaType": media_type, "manifests": null})
                }
                _ => json!({"mediaType": media_type}),
            };
            for content_type in [Some(media_type), None, Some("")] {
                assert!(parse(&manifest, content_type).is_ok(), "{media_type}");
            }
            assert!(parse(&manifest, Some("a/b")).is_err());
            manifest.as_object_mut().unwrap().remove("mediaType");
            let is_ocis = media_type.starts_with("application/vnd.oci.image.");
            assert_eq!(
                parse(&manifest, Some(media_type)).is_ok(),
                is_ocis,
                "{media_type}"
            );
            assert!(parse(&manifest, None).is_err());
        }
    }

    #[test]
    fn invalid_manifest_is_refused() {
        for (body, content_type) in [
            ("", Some(OCI_IMAGE)),
            ("[]", Some(OCI_IMAGE)),
            ("{}", Some(OCI_IMAGE)),
            (r#"{"schemaVersion":1}"#, Some(OCI_IMAGE)),
            (r#"{"schemaVersion":2}"#, None),
            (r#"{"schemaVersion":2}"#, Some(SCHEMA_1[1])),
        ] {
            let refused = Manifest::parse(body.as_bytes(), content_type);
            assert!(
                matches!(refused, Err(Error::ManifestInvalid(_))),
                "{body} {content_type:?}"
            );
        }
    }
}
