//! A small image in an archive that every client can load: an OCI layout with Docker's manifest beside it.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>

use std::{collections::BTreeMap, env::consts::ARCH, fmt, io, str::FromStr};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tar::{Builder, Header};

/// The time of everything in the image, fixed so that the image is always the same: the first second of 2026.
const CREATED: &str = "2026-01-01T00:00:00Z";
const MODIFIED: u64 = 1_767_225_600;

const FILE: &str = "hello.txt";
const TEXT: &str = "\
Hello from an image that its registry stores encrypted.
If you can read this, you pulled it while the registry could use its key.
";

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The name under which an image is loaded: host, repository and tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    name: String,
    tag: String,
}

/// An image with one layer.
pub(super) struct Image {
    layer: Blob,
    config: Blob,
    manifest: Blob,
}

/// A blob with its media type and digest.
struct Blob {
    media_type: &'static str,
    hash: String,
    content: Vec<u8>,
}

// The order of the fields decides the digests.

#[derive(Serialize)]
struct Config<'a> {
    created: &'a str,
    architecture: &'a str,
    os: &'a str,
    /// The settings of containers, which are empty.
    #[serde(rename = "config")]
    container: BTreeMap<&'a str, &'a str>,
    rootfs: RootFs,
    history: [History<'a>; 1],
}

#[derive(Serialize)]
struct RootFs {
    r#type: &'static str,
    diff_ids: [String; 1],
}

#[derive(Serialize)]
struct History<'a> {
    created: &'a str,
    created_by: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: [Descriptor; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: [Descriptor; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Layout {
    image_layout_version: &'static str,
}

/// An image as `docker save` describes it.
///
/// <https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: [String; 1],
    layers: [String; 1],
}

impl Image {
    pub(super) fn new() -> io::Result<Self> {
        let layer = Blob::new(LAYER, archive([(FILE, TEXT.as_bytes())])?);
        let config = Blob::json(
            CONFIG,
            &Config {
                created: CREATED,
                architecture: architecture(),
                os: "linux",
                container: BTreeMap::new(),
                rootfs: RootFs {
                    r#type: "layers",
                    diff_ids: [layer.digest()],
                },
                history: [History {
                    created: CREATED,
                    created_by: "sealock demo image",
                }],
            },
        )?;
        let manifest = Blob::json(
            MANIFEST,
            &Manifest {
                schema_version: 2,
                media_type: MANIFEST,
                config: config.descriptor(),
                layers: [layer.descriptor()],
            },
        )?;
        Ok(Self {
            layer,
            config,
            manifest,
        })
    }

    /// Packs the image into an archive under a name.
    pub(super) fn archive(&self, name: &Reference) -> io::Result<Vec<u8>> {
        let layout = Layout {
            image_layout_version: "1.0.0",
        };
        let annotations = [
            // containerd and podman read the full name here, other clients the tag below.
            ("io.containerd.image.name", name.to_string()),
            ("org.opencontainers.image.ref.name", name.tag.clone()),
        ];
        let index = Index {
            schema_version: 2,
            media_type: INDEX,
            manifests: [Descriptor {
                annotations: annotations.into(),
                ..self.manifest.descriptor()
            }],
        };
        let saved = [Saved {
            config: self.config.path(),
            repo_tags: [name.to_string()],
            layers: [self.layer.path()],
        }];
        let (layout, index, saved) = (json(&layout)?, json(&index)?, json(&saved)?);
        let blobs = [&self.layer, &self.config, &self.manifest];
        let blobs = blobs.map(|blob| (blob.path(), &blob.content));
        let blobs = blobs
            .iter()
            .map(|(path, content)| (&**path, content.as_slice()));
        let described = [
            ("oci-layout", &*layout),
            ("index.json", &index),
            ("manifest.json", &saved),
        ];
        archive(described.into_iter().chain(blobs))
    }
}

impl Blob {
    fn new(media_type: &'static str, content: Vec<u8>) -> Self {
        Self {
            media_type,
            hash: hex::encode(Sha256::digest(&content)),
            content,
        }
    }

    fn json(media_type: &'static str, content: &impl Serialize) -> io::Result<Self> {
        Ok(Self::new(media_type, json(content)?))
    }

    fn digest(&self) -> String {
        format!("sha256:{}", self.hash)
    }

    /// Returns the path in a layout.
    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.hash)
    }

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type,
            digest: self.digest(),
            size: self.content.len(),
            annotations: BTreeMap::new(),
        }
    }
}

impl FromStr for Reference {
    type Err = &'static str;

    /// Parses a name by Docker's rules for names to push. The tag defaults to `latest`.
    ///
    /// <https://github.com/distribution/reference/blob/main/reference.go>
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected HOST:PORT/REPOSITORY:TAG, such as localhost:5000/hello:v1";
        let (host, path) = text.split_once('/').ok_or(expected)?;
        let (repository, tag) = path.split_once(':').unwrap_or((path, "latest"));
        let is_valid = is_host(host) && repository.split('/').all(is_component) && is_tag(tag);
        is_valid
            .then(|| Self {
                name: format!("{host}/{repository}"),
                tag: tag.to_owned(),
            })
            .ok_or(expected)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

/// Returns true for a text that Docker takes for a host rather than the beginning of a repository's name.
fn is_host(text: &str) -> bool {
    let is_known = text == "localhost" || text.contains(['.', ':']);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".:-[]".contains(c);
    is_known && text.chars().all(is_plain)
}

fn is_component(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = text
        .split(is_letter)
        .filter(|separator| !separator.is_empty());
    let are_valid = |separator: &str| {
        matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
    };
    text.starts_with(is_letter) && text.ends_with(is_letter) && { separators }.all(are_valid)
}

fn is_tag(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(is_letter)
        && text.chars().all(|c| is_letter(c) || ".-".contains(c))
}

/// Returns this machine's architecture as images name it. Some clients refuse to load images for another.
fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

/// Packs files into a reproducible archive.
fn archive<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = Header::new_ustar();
        header.set_mode(0o644);
        header.set_mtime(MODIFIED);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content)?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_name_without_host_repository_or_valid_tag_is_rejected() {
        let parsed = |text: &str| text.parse::<Reference>().map(|name| name.to_string());
        for name in [
            "localhost:5000/hello:v1",
            "localhost/a/b.c_d-e:1.0-rc",
            "[::1]:5000/hello:v1",
            "sealock.azurecr.localhost:5000/hello:v1",
        ] {
            assert_eq!(parsed(name).as_deref(), Ok(name));
        }
        let latest = parsed("localhost:5000/hello");
        assert_eq!(latest.as_deref(), Ok("localhost:5000/hello:latest"));
        let long = format!("localhost:5000/hello:{}", "x".repeat(129));
        for bad in [
            "localhost:5000/a..b:v1",
            "localhost:5000/a.-b:v1",
            "",
            "hello:v1",
            "team/hello:v1",
            "localhost:5000/",
            "localhost:5000/Hello:v1",
            "localhost:5000/hello:",
            "localhost:5000/hello:v1:v2",
            "localhost:5000/hello@sha256:00",
            "localhost:5000/../hello:v1",
            "localhost:5000//hello:v1",
            "local host:5000/hello:v1",
            &long,
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
