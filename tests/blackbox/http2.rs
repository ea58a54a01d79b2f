//! HTTP/2 by ALPN and by prior knowledge.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream as Socket,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, RecvStream, client::SendRequest};
use http::{HeaderMap, Request, header};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use sealock_tests::{Emulator, Image, digest_of, random_bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Runtime,
};
use tokio_rustls::TlsConnector;

/// The time after which a missing answer counts as a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A client with one connection.
pub(crate) struct Client {
    requests: SendRequest<Bytes>,
    origin: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: RecvStream,
}

impl Client {
    pub(crate) async fn plain(emulator: &Emulator) -> Self {
        let stream = TcpStream::connect(emulator.address()).await.unwrap();
        Self::over(stream, "http://localhost").await
    }

    async fn tls(emulator: &Emulator) -> Self {
        let (stream, protocol) = handshake(emulator, &[b"h2", b"http/1.1"]).await;
        assert_eq!(protocol.as_deref(), Some(&b"h2"[..]));
        Self::over(stream, "https://localhost").await
    }

    async fn over<S>(stream: S, origin: &str) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self {
            requests,
            origin: origin.to_owned(),
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        let request = self.request(method, path, headers);
        let (answer, mut sent) = requests.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            sent.send_data(Bytes::copy_from_slice(body), true)?;
        }
        let (head, body) = answer.await?.into_parts();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }
}

impl Client {
    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    /// Starts a request, sends some of its body, and resets the stream.
    async fn take_back(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        sent: &[u8],
        reason: Reason,
    ) {
        let mut requests = self.requests.clone().ready().await.unwrap();
        let request = self.request(method, path, headers);
        let (_answer, mut stream) = requests.send_request(request, false).unwrap();
        if !sent.is_empty() {
            stream
                .send_data(Bytes::copy_from_slice(sent), false)
                .unwrap();
        }
        // Gives the server time to start.
        self.send("GET", "/", &[], b"").await.unwrap();
        stream.send_reset(reason);
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    async fn read(mut self) -> Result<Vec<u8>, h2::Error> {
        let mut content = Vec::new();
        while let Some(data) = self.body.data().await {
            let data = data?;
            content.extend_from_slice(&data);
            self.body.flow_control().release_capacity(data.len())?;
        }
        Ok(content)
    }
}

/// Opens a TLS connection to an emulator, and returns it with the negotiated protocol.
pub(crate) async fn handshake(
    emulator: &Emulator,
    offered: &[&[u8]],
) -> (tokio_rustls::client::TlsStream<TcpStream>, Option<Vec<u8>>) {
    let mut roots = RootCertStore::empty();
    let ca = fs::read(emulator.ca().unwrap()).unwrap();
    roots
        .add(CertificateDer::from_pem_slice(&ca).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(emulator.address()).await.unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    (stream, protocol)
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    Runtime::new().unwrap().block_on(future)
}

#[test]
fn http2_pushes_and_pulls_by_prior_knowledge_and_by_alpn() {
    let emulator = Emulator::start();
    block_on(async {
        let content = random_bytes(5 << 20);
        let image = Image::of(vec![content.clone()]);
        for (client, repository) in [
            (Client::plain(&emulator).await, "plain"),
            (Client::tls(&emulator).await, "tls"),
        ] {
            for blob in image.blobs() {
                let path = format!("/v2/{repository}/blobs/uploads/");
                let begun = client.send("POST", &path, &[], b"").await.unwrap();
                assert_eq!(begun.status, 202);
                let location = begun.header("location");
                let sent = client.send("PATCH", location, &[], blob).await.unwrap();
                assert_eq!(sent.status, 202);
                let end = format!("{}?digest={}", sent.header("location"), digest_of(blob));
                let pushed = client.send("PUT", &end, &[], b"").await.unwrap();
                assert_eq!(pushed.status, 201);
            }
            let path = format!("/v2/{repository}/manifests/v1");
            let headers = [("content-type", Image::MEDIA_TYPE)];
            let pushed = client.send("PUT", &path, &headers, image.manifest());
            assert_eq!(pushed.await.unwrap().status, 201);

            let headers = [("accept", Image::MEDIA_TYPE)];
            let pulled = client.send("GET", &path, &headers, b"").await.unwrap();
            assert_eq!(pulled.read().await.unwrap(), image.manifest());
            let path = format!("/v2/{repository}/blobs/{}", digest_of(&content));
            let pulled = client.send("GET", &path, &[], b"").await.unwrap();
            assert_eq!(pulled.header("content-length"), content.len().to_string());
            assert_eq!(pulled.read().await.unwrap(), content);
            let head = client.send("HEAD", &path, &[], b"").await.unwrap();
            assert_eq!(head.header("content-length"), content.len().to_string());
            assert_eq!(head.read().await.unwrap(), b"");
        }
    });
}

#[test]
fn tls_client_gets_the_protocol_that_it_offers() {
    let emulator = Emulator::start();
    block_on(async {
        for (offered, chosen) in [
            (&[][..], None),
            (&[&b"http/1.1"[..]], Some(&b"http/1.1"[..])),
            (&[b"http/1.1", b"h2"], Some(b"h2")),
        ] {
            let (_, protocol) = handshake(&emulator, offered).await;
            assert_eq!(protocol.as_deref(), chosen);
        }
    });
}

#[test]
fn authority_that_contradicts_the_host_header_is_refused() {
    let emulator = Emulator::start();
    block_on(async {
        let client = Client::plain(&emulator).await;
        for (host, status) in [
            ("localhost", 200),
            ("LOCALHOST", 200),
            ("localhost:5000", 400),
            ("sealock.azurecr.localhost", 400),
            ("evil.test", 400),
            ("", 400),
        ] {
            let answer = client
                .send("GET", "/", &[("host", host)], b"")
                .await
                .unwrap();
            assert_eq!(answer.status, status, "{host}");
        }
    });
}

#[test]
fn revocation_cuts_a_pull_short_but_keeps_the_connection() {
    let emulator = Emulator::start();
    let content = random_bytes(8 << 20);
    assert_eq!(emulator.client().push_blob("app", &content).status, 201);
    block_on(async {
        let client = Client::plain(&emulator).await;
        let path = format!("/v2/app/blobs/{}", digest_of(&content));
        let mut pulled = client.send("GET", &path, &[], b"").await.unwrap();
        pulled.body.data().await.unwrap().unwrap();
        emulator.cli(&["key", "disable"]);
        let cut = pulled.read().await.unwrap_err();
        assert_eq!(cut.reason(), Some(Reason::INTERNAL_ERROR));
        let refused = client.send("GET", &path, &[], b"").await.unwrap();
        assert_eq!(refused.status, 403);
    });
}

#[test]
fn every_service_answers_head_without_a_body() {
    let emulator = Emulator::start();
    let image = Image::random(&[1000]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let manifest = format!("/v2/app/manifests/{}", image.digest());
    let blob = format!("/v2/app/blobs/{}", digest_of(image.blobs().next().unwrap()));
    block_on(async {
        let client = Client::plain(&emulator).await;
        for (path, status) in [
            ("/", 200),
            ("/nothing", 404),
            ("/v2/", 401),
            ("/v2/app/tags/list", 200),
            (&manifest, 200),
            ("/v2/app/manifests/v2", 404),
            (&blob, 200),
            ("/v2/app/blobs/sha256:", 400),
            ("/acr/v1/_catalog", 200),
            ("/keys", 401),
            ("/metadata/identity/oauth2/token", 405),
            ("/subscriptions", 401),
            ("/_sealock/v1/status", 200),
        ] {
            let headers = [("accept", Image::MEDIA_TYPE)];
            let head = client.send("HEAD", path, &headers, b"").await.unwrap();
            assert_eq!(head.status, status, "{path}");
            let length = head.headers.get("content-length").cloned();
            assert_eq!(head.read().await.unwrap(), b"", "{path}");
            let get = client.send("GET", path, &headers, b"").await.unwrap();
            if get.status == status {
                let content = get.read().await.unwrap();
                assert_eq!(length.unwrap(), content.len().to_string(), "{path}");
            }
        }
    });
}

#[test]
fn reset_request_body_is_not_stored_as_complete() {
    let emulator = Emulator::start();
    let image = Image::random(&[1000]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let content = random_bytes(300_000);
    let whole = content.len().to_string();
    block_on(async {
        let client = Client::plain(&emulator).await;
        for reason in [Reason::NO_ERROR, Reason::CANCEL, Reason::INTERNAL_ERROR] {
            let path = "/v2/app/blobs/uploads/";
            let begun = client.send("POST", path, &[], b"").await.unwrap();
            let location = begun.header("location");
            let half = &content[..content.len() / 2];
            let sent = client.send("PATCH", location, &[], half).await.unwrap();
            assert_eq!(sent.status, 202);
            let location = sent.header("location").to_owned();
            let end = format!("{location}?digest={}", digest_of(&content));
            client.take_back("PUT", &end, &[], b"x", reason).await;
            let length = ("content-length", whole.as_str());
            for name in ["first", "second", "third"] {
                let path = format!("/v2/app/manifests/{name}");
                let headers = [("content-type", Image::MEDIA_TYPE)];
                let manifest = image.manifest();
                client
                    .take_back("PUT", &path, &headers, manifest, reason)
                    .await;
                let path = format!("/_sealock/v1/registries/{name}");
                client.take_back("PUT", &path, &[length], b"", reason).await;
            }

            let rest = &content[half.len()..];
            let range = format!("{}-{}", half.len(), content.len() - 1);
            let headers = [("content-range", range.as_str())];
            let sent = client.send("PATCH", &location, &headers, rest).await;
            assert_eq!(sent.unwrap().status, 202, "{reason:?}");
            let ended = client.send("PUT", &end, &[], b"").await.unwrap();
            assert_eq!(ended.status, 201, "{reason:?}");
        }
        let listed = client
            .send("GET", "/v2/app/tags/list", &[], b"")
            .await
            .unwrap();
        let listed = String::from_utf8(listed.read().await.unwrap()).unwrap();
        assert!(listed.contains(r#"["v1"]"#), "{listed}");
        for name in ["first", "second", "third"] {
            let path = format!("/_sealock/v1/registries/{name}");
            let made = client.send("GET", &path, &[], b"").await.unwrap();
            assert_eq!(made.status, 404, "{name}");
        }
    });
}

#[test]
fn oversized_request_head_is_refused() {
    let emulator = Emulator::start();
    block_on(async {
        let client = Client::plain(&emulator).await;
        let value = "v".repeat(40 << 10);
        let headers = [(header::ACCEPT.as_str(), value.as_str())];
        let refused = client.send("GET", "/v2/", &headers, b"").await.unwrap();
        assert_eq!(refused.status, 431);
        let served = client.send("GET", "/", &[], b"").await.unwrap();
        assert_eq!(served.status, 200);
    });
}

/// A frame. <https://www.rfc-editor.org/rfc/rfc9113#section-4.1>
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
pub(crate) const END_HEADERS: u8 = 4;

/// `POST / HTTP/2` of localhost, with headers from the static table.
const POST: &[u8] = b"\x83\x86\x84\x41\x09localhost";

/// Sends frames after the preface, and returns the types and payloads of the received frames until the connection
/// ends.
fn converse(emulator: &Emulator, frames: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut socket = Socket::connect(emulator.address()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(PREFACE).unwrap();
    socket.write_all(&frame(SETTINGS, 0, 0, b"")).unwrap();
    // The connection may end before everything is sent.
    let _ = socket.write_all(frames);
    let mut came = Vec::new();
    let mut head = [0; 9];
    while socket.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if socket.read_exact(&mut payload).is_err() {
            break;
        }
        came.push((head[3], payload));
        if head[3] == GOAWAY {
            break;
        }
    }
    came
}

/// Returns the reason of the frame that announces the end of the connection.
fn reason(came: &[(u8, Vec<u8>)]) -> Option<u32> {
    let (_, payload) = came.iter().find(|(kind, _)| *kind == GOAWAY)?;
    Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
}

#[test]
fn misbehaving_client_is_disconnected_and_others_are_served() {
    let emulator = Emulator::start();
    let taken_back = (0..2000).flat_map(|number| {
        let stream = 2 * number + 1;
        let request = frame(HEADERS, END_HEADERS, stream, POST);
        [request, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    let endless_head = [frame(HEADERS, 0, 1, POST)]
        .into_iter()
        .chain((0..2000).map(|_| frame(9, 0, 1, &[0x40, 1, b'a', 1, b'b'].repeat(1000))));
    let too_many = (0..3000).flat_map(|number| frame(HEADERS, END_HEADERS, 2 * number + 1, POST));
    for (what, frames, expected) in [
        (
            "requests that are taken back",
            taken_back.collect(),
            Some(11),
        ),
        (
            "a head without an end",
            endless_head.flatten().collect(),
            Some(11),
        ),
        ("more streams than allowed", too_many.collect(), Some(11)),
        ("a body of no stream", frame(DATA, 0, 1, b"x"), Some(1)),
        (
            "a frame that is too long",
            frame(DATA, 0, 1, &vec![0; 20 << 10]),
            Some(6),
        ),
    ] {
        let came = converse(&emulator, &frames);
        assert_eq!(reason(&came), expected, "{what}: {came:?}");
        assert_eq!(emulator.client().get("/").status, 200, "{what}");
    }
}
