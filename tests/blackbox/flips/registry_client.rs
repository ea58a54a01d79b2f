use std::{collections::BTreeMap, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_tests::{Answer, Client, Image, digest_of};
use serde_json::Value;

const CONTROL: &str = "/_sealock/v1";

/// Everything that clients can read from a data directory, by name.
pub(super) type Reading = BTreeMap<String, String>;

/// A client of a registry with the admin's credentials.
pub(crate) struct RegistryClient {
    client: Client,
    host: String,
    authorization: String,
    registry: String,
}

impl RegistryClient {
    pub(crate) fn of(client: &Client, address: &str, registry: &str, dir: &Path) -> Self {
        Self::find(client, address, registry, dir).expect("credentials")
    }

    pub(super) fn find(client: &Client, address: &str, registry: &str, dir: &Path) -> Option<Self> {
        let port = address.rsplit_once(':').unwrap().1;
        let path = format!("/registries/{registry}/credentials");
        let credentials = control(client, dir, "GET", &path);
        if credentials.status != 200 {
            return None;
        }
        let password = credentials.json()["passwords"][0]["value"].clone();
        let login = format!("{registry}:{}", password.as_str()?);
        Some(Self {
            client: client.clone(),
            host: format!("{registry}.azurecr.localhost:{port}"),
            authorization: format!("Basic {}", STANDARD.encode(login)),
            registry: registry.to_owned(),
        })
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let headers = [
            ("host", self.host.as_str()),
            ("authorization", &self.authorization),
            ("content-type", Image::MEDIA_TYPE),
        ];
        self.client.send(method, path, &headers, body)
    }

    pub(crate) fn push(&self, repository: &str, tag: &str, image: &Image) {
        for blob in image.blobs() {
            let digest = digest_of(blob);
            let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
            assert_eq!(self.send("POST", &path, blob).status, 201);
        }
        let path = format!("/v2/{repository}/manifests/{tag}");
        assert_eq!(self.send("PUT", &path, image.manifest()).status, 201);
    }

    pub(super) fn read(&self, reading: &mut Reading) {
        let registry = &self.registry;
        let mut see = |path: String| {
            let answer = self.send("GET", &path, b"");
            let shown = if path.contains("/blobs/") {
                digest_of(&answer.body)
            } else {
                String::from_utf8_lossy(&answer.body).into_owned()
            };
            reading.insert(
                format!("{registry} {path}"),
                format!("{} {shown}", answer.status),
            );
            answer
        };
        see("/v2/_catalog".to_owned());
        let tags = see("/v2/app/tags/list".to_owned());
        for tag in ["v1", "v2", "v3"] {
            let manifest = see(format!("/v2/app/manifests/{tag}"));
            if manifest.status != 200 || tags.status != 200 {
                continue;
            }
            let manifest: Value = serde_json::from_slice(&manifest.body).unwrap_or_default();
            let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
            for blob in layers.iter().chain([&manifest["config"]]) {
                see(format!(
                    "/v2/app/blobs/{}",
                    blob["digest"].as_str().unwrap()
                ));
            }
        }
    }
}

pub(super) fn control(client: &Client, dir: &Path, method: &str, path: &str) -> Answer {
    let token = fs::read(dir.join("control.token")).unwrap();
    let token = format!("Bearer {}", String::from_utf8_lossy(&token).trim());
    let headers = [("authorization", token.as_str())];
    client.send(method, &format!("{CONTROL}{path}"), &headers, b"")
}
