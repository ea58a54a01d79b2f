use sealock_core::{Digest, excerpt};
use sealock_http::json::{ExactObject, List, Object, check_base64};
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
    /// In bytes, as the manifest says.
    pub size: u64,
    /// What an entry of an index runs on.
    pub platform: Option<Platform>,
    /// True if it lives elsewhere, as a foreign or non-distributable layer does: it is not required here.
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

/// Docker's layers that are never pushed, however they are compressed.
const FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";

pub(crate) const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
pub(crate) const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const ORAS_ARTIFACT: &str = "application/vnd.cncf.oras.artifact.manifest.v1+json";

/// The types of manifests that can be pushed.
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
    /// Reads a manifest that came with `content_type`.
    ///
    /// Its fields have their types, those that are required are there, and those of another kind of manifest are not:
    /// to no client is it something else (CVE-2021-41190).
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
        // Only of these two the specification says that it may be left out.
        if raw.media_type.is_none() && ![OCI_IMAGE, OCI_INDEX].contains(&&*media_type) {
            let why = format!("its mediaType is missing; expected '{media_type}'");
            return Err(Error::ManifestInvalid(why));
        }
        check_annotations(raw.annotations.as_ref())?;
        let subject = raw.subject.map(|Object(raw)| raw.parse(Kind::Child));
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

/// The way in which a manifest refers to things.
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
    /// A registry serves each manifest under its own type, and a browser renders what comes as `text/html`.
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
            "its type '{}' is none of {}; what is to be free goes into artifactType or the configuration's mediaType",
            excerpt(media_type),
            TYPES.join(", ")
        )))
    }

    /// Collects what a manifest of this form refers to, in its order.
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
            Self::Image => (layers, "layers", Kind::Layer),
            Self::Index => (manifests, "manifests", Kind::Child),
            Self::Artifact => (blobs, "blobs", Kind::Layer),
        };
        let list = match list {
            List::Items(items) => items,
            List::Null => Vec::new(),
            // Of these alone the specification says that they may be left out.
            List::Missing if self == Self::Artifact => Vec::new(),
            List::Missing => return missing(name),
        };
        let config = match (self, config) {
            (Self::Image, None) => return missing("config"),
            (_, config) => config,
        };
        config
            .into_iter()
            .map(|Object(config)| config.parse(Kind::Config))
            .chain(list.into_iter().map(|Object(raw)| raw.parse(kind)))
            .collect()
    }
}

/// Returns the type that the header says, or without one the manifest itself; both must be the same.
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
            let why = "neither a Content-Type header nor a mediaType says what it is".to_owned();
            Err(Error::ManifestInvalid(why))
        }
    }
}

fn schema_too_old() -> Error {
    let why = "only schema version 2 is supported; push with a client of 2017 or later".to_owned();
    Error::ManifestInvalid(why)
}

/// Of a manifest with an annotation that is no text, and of a list of referrers that repeats it, some clients can
/// read nothing.
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
    fn parse(self, kind: Kind) -> Result<Descriptor, Error> {
        let refuse = |why: &str| {
            let digest = excerpt(&self.digest);
            Err(Error::ManifestInvalid(format!(
                "of what it refers to as {digest}, {why}"
            )))
        };
        check_annotations(self.annotations.as_ref())?;
        if self.media_type.is_empty() {
            return refuse("the mediaType is empty");
        }
        if i64::try_from(self.size).is_err() {
            return refuse("the size is larger than anything");
        }
        let foreign = self.urls.is_some_and(|urls| !urls.is_empty());
        // One of OCI's may be pushed like any other layer.
        if !foreign && self.media_type.starts_with(FOREIGN_LAYER) {
            return refuse("there are no urls, though it lives elsewhere");
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
    fn descriptors_are_found_in_order() {
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
                (Kind::Config, 1, false),
                (Kind::Layer, 2, false),
                (Kind::Layer, 3, true)
            ]
        );
    }

    #[test]
    fn an_artifact_refers_to_its_blobs_and_needs_no_schema_version() {
        for media_type in [OCI_ARTIFACT, ORAS_ARTIFACT] {
            let artifact = json!({"mediaType": media_type, "artifactType": "text/html", "blobs": [descriptor("text/html", 1)]});
            let manifest = parse(&artifact, Some(media_type)).unwrap();
            let kinds: Vec<_> = manifest.descriptors.iter().map(|it| it.kind).collect();
            assert_eq!(kinds, [Kind::Layer]);
            assert_eq!(manifest.artifact_type.as_deref(), Some("text/html"));
            assert!(parse(&artifact, Some(OCI_IMAGE)).is_err());
        }
        let mut image = image(OCI_IMAGE);
        image["blobs"] = json!([descriptor("b", 9)]);
        let image = parse(&image, Some(OCI_IMAGE)).unwrap();
        assert_eq!(image.descriptors.len(), 2, "an image has no blobs");
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
    fn a_type_that_only_the_header_says_is_one_of_ocis() {
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
    fn what_is_no_manifest_is_refused() {
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
