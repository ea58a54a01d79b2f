use schemars::JsonSchema;
use sealock_core::{Digest, RegistryName};
use serde::{Deserialize, Serialize};

/// The image to inspect.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageName {
    /// `REPOSITORY[:TAG|@DIGEST]`
    pub name: String,
}

/// An image with its stored objects.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Inspection {
    /// The registry.
    pub registry: RegistryName,
    /// The repository.
    pub repository: String,
    /// The requested tag or digest.
    pub reference: String,
    /// The digest of the manifest.
    pub digest: Digest,
    /// The encryption layers, the innermost first.
    pub layers: Vec<String>,
    /// The key version that wraps the DEK. Null without a customer-managed key.
    pub wrapped_by: Option<WrappedBy>,
    /// The reason why objects are missing from the list. Null if all are listed.
    pub note: Option<String>,
    /// The manifest and the objects that it refers to.
    pub objects: Vec<StoredObject>,
}

/// The key version that wraps a registry's DEK.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WrappedBy {
    /// Its URL.
    pub kid: String,
    /// The wrapping algorithm.
    pub algorithm: String,
}

/// A stored object.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StoredObject {
    /// `manifest`, `config`, `layer` or `child`.
    pub kind: String,
    /// The media type of its content.
    pub media_type: String,
    /// The digest of its content.
    pub digest: Digest,
    /// The size of its content in bytes.
    pub size: u64,
    /// The name of its file.
    pub object: String,
    /// The size of its file in bytes.
    pub stored_size: u64,
    /// The plaintext bytes of a full segment.
    pub segment_size: u64,
    /// Its header in hexadecimal.
    pub header: String,
    /// The first bytes of its ciphertext in hexadecimal.
    pub ciphertext: String,
    /// Its binding in hexadecimal.
    pub binding: String,
}
