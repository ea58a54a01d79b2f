use std::{fs, path::Path};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// An image with random layers.
#[derive(Clone)]
pub struct Image {
    blobs: Vec<Vec<u8>>,
    manifest: Vec<u8>,
}

impl Image {
    /// The media type of the manifest.
    pub const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

    /// Creates a unique image with layers of these sizes.
    pub fn random(layers: &[usize]) -> Self {
        Self::of(layers.iter().map(|size| random_bytes(*size)).collect())
    }

    /// Creates a unique image with these layers.
    pub fn of(layers: Vec<Vec<u8>>) -> Self {
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "author": hex::encode(random_bytes(24)),
            "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| digest_of(layer)).collect::<Vec<_>>()},
        });
        let config = config.to_string().into_bytes();
        let descriptor = |media_type: &str, content: &[u8]| json!({"mediaType": media_type, "digest": digest_of(content), "size": content.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": Self::MEDIA_TYPE,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": layers
                .iter()
                .map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer))
                .collect::<Vec<_>>(),
            "annotations": {"org.example.note": hex::encode(random_bytes(24))},
        });
        Self {
            blobs: [layers, vec![config]].concat(),
            manifest: manifest.to_string().into_bytes(),
        }
    }

    /// Reads the only image of an OCI layout directory.
    ///
    /// <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>
    pub fn from_layout(dir: &Path) -> Self {
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().expect("a digest");
            fs::read(dir.join("blobs").join(digest.replace(':', "/")))
                .expect("a blob of the layout")
        };
        let parse = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).expect("JSON") };
        let index = parse(&fs::read(dir.join("index.json")).expect("a layout's index.json"));
        let manifest = blob(&index["manifests"][0]);
        let parsed = parse(&manifest);
        let layers = parsed["layers"].as_array().expect("layers").iter();
        Self {
            blobs: layers.chain([&parsed["config"]]).map(blob).collect(),
            manifest,
        }
    }

    /// Returns the layers and the configuration.
    pub fn blobs(&self) -> impl Iterator<Item = &[u8]> {
        self.blobs.iter().map(Vec::as_slice)
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// Returns the manifest's digest.
    pub fn digest(&self) -> String {
        digest_of(&self.manifest)
    }
}

/// Returns the SHA-256 digest with its prefix `sha256:`.
pub fn digest_of(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

/// Returns random bytes.
pub fn random_bytes(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    rand::fill(&mut bytes[..]);
    bytes
}
