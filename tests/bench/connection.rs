use bytes::Bytes;
use http::{Method, Request, header, request::Builder, response::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime::Runtime};

/// A client's connection. It does little for each request, since client and server share the cores.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// Connects to an address such as `127.0.0.1:5000`.
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self {
            sender,
            host: address.to_owned(),
        }
    }

    /// Begins a request.
    pub(crate) fn request(&self, method: &Method, path: &str) -> Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
    }

    /// Sends a request, and returns the answer's head and the length of its body.
    pub(crate) async fn send(&mut self, request: Builder, body: Bytes) -> (Parts, usize) {
        let request = request.body(Full::new(body)).unwrap();
        self.sender.ready().await.unwrap();
        let response = self.sender.send_request(request).await.unwrap();
        let (head, mut body) = response.into_parts();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.unwrap().data_ref().map_or(0, Bytes::len);
        }
        (head, length)
    }
}

/// Returns a runtime whose only thread sends, so that the peer has one of two cores for itself.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}
