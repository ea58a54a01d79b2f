use std::{io::Read, time::Duration};

use serde_json::Value;
use ureq::{
    Agent, Body, SendBody,
    http::{HeaderMap, Request, Response},
};

use crate::{Image, contract, digest_of};

/// The manifest types that current clients accept.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.artifact.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json, */*";

/// A small OCI client. A refusal is an answer, not an error.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    base: String,
}

/// An answer with its complete body.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// Creates a client of the registry at `base`, such as `http://127.0.0.1:5000`.
    pub fn new(base: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(Duration::from_secs(10)))
            .build();
        Self {
            agent: config.into(),
            base: base.to_owned(),
        }
    }

    /// Sends a request, and reads the whole answer.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let response = self.try_send(
            method,
            path,
            headers,
            SendBody::from_reader(&mut &*body),
            Some(body.len()),
        );
        let answer = read(response.expect("an answer"));
        contract::check(method, path, &answer);
        answer
    }

    /// Sends a request with a streamed body. A truncated answer is an error.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: SendBody<'_>,
        length: Option<usize>,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // The default of registry clients.
        if path.contains("/manifests/") && headers.iter().all(|(name, _)| *name != "accept") {
            request = request.header("accept", ACCEPT);
        }
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        self.agent.run(request.body(body).unwrap())
    }

    /// Sends a GET request.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// Streams a blob.
    pub fn stream(&self, path: &str) -> impl Read + use<> {
        let response = self
            .try_send("GET", path, &[], SendBody::none(), None)
            .expect("an answer");
        assert_eq!(response.status(), 200);
        response.into_body().into_reader()
    }

    /// Pushes a blob as most clients do: POST, PATCH, PUT. Stops at the first refusal.
    pub fn push_blob(&self, repository: &str, content: &[u8]) -> Answer {
        let digest = digest_of(content);
        let begun = self.send(
            "POST",
            &format!("/v2/{repository}/blobs/uploads/"),
            &[],
            b"",
        );
        if begun.status != 202 {
            return begun;
        }
        let sent = self.send("PATCH", begun.header("location"), &[], content);
        if sent.status != 202 {
            return sent;
        }
        self.send(
            "PUT",
            &format!("{}?digest={digest}", sent.header("location")),
            &[],
            b"",
        )
    }

    /// Pushes an image. Stops at the first refusal.
    pub fn push(&self, repository: &str, reference: &str, image: &Image) -> Answer {
        for blob in image.blobs() {
            let pushed = self.push_blob(repository, blob);
            if pushed.status != 201 {
                return pushed;
            }
        }
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.send(
            "PUT",
            &path,
            &[("content-type", Image::MEDIA_TYPE)],
            image.manifest(),
        )
    }

    /// Pulls an image, and compares every byte. Stops at the first refusal.
    pub fn pull(&self, repository: &str, reference: &str, image: &Image) -> Answer {
        let manifest = self.get(&format!("/v2/{repository}/manifests/{reference}"));
        if manifest.status != 200 {
            return manifest;
        }
        assert_eq!(
            manifest.body,
            image.manifest(),
            "the manifest of {repository}:{reference}"
        );
        assert_eq!(manifest.header("docker-content-digest"), image.digest());
        for blob in image.blobs() {
            let pulled = self.get(&format!("/v2/{repository}/blobs/{}", digest_of(blob)));
            if pulled.status != 200 {
                return pulled;
            }
            assert!(
                pulled.body == blob,
                "a blob of {repository}:{reference} has changed"
            );
        }
        manifest
    }
}

impl Answer {
    /// Parses the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the code of the first error in OCI's form.
    pub fn code(&self) -> String {
        self.json()["errors"][0]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Returns a header that must exist.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
            .to_str()
            .unwrap()
    }
}

fn read(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let mut bytes = Vec::new();
    body.into_reader()
        .read_to_end(&mut bytes)
        .expect("a whole answer");
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: bytes,
    }
}
