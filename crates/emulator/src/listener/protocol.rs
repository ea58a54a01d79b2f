use std::io::{self, Cursor};

use tokio::io::{AsyncRead, AsyncReadExt as _, Chain};

/// The first byte of a TLS connection: the type of its first record, a handshake.
/// <https://www.rfc-editor.org/rfc/rfc8446#section-5.1>
const TLS_HANDSHAKE: u8 = 22;

/// The first bytes of an HTTP/2 connection.
/// <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The protocol with which a client begins a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TLS, with either version of HTTP inside.
    Tls,
    /// HTTP/1.1 or 1.0, without TLS.
    Http1,
    /// HTTP/2 without TLS, by prior knowledge.
    Http2,
}

impl Protocol {
    /// Detects the protocol from the first bytes of a connection. `None` if that needs more bytes.
    pub fn detect(first: &[u8]) -> Option<Self> {
        if first.first()? == &TLS_HANDSHAKE {
            return Some(Self::Tls);
        }
        if first.starts_with(HTTP2_PREFACE) {
            return Some(Self::Http2);
        }
        // `P` alone may also be the beginning of PUT.
        (!HTTP2_PREFACE.starts_with(first)).then_some(Self::Http1)
    }
}

/// A reader that yields its first bytes once more, after they were read to detect the protocol.
pub(super) type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

/// Reads as many bytes as the detection of the protocol needs.
///
/// # Errors
/// The connection ends before that.
pub(super) async fn detect<R>(mut reader: R) -> io::Result<(Protocol, Peeked<R>)>
where
    R: AsyncRead + Unpin,
{
    let mut first = Vec::with_capacity(HTTP2_PREFACE.len());
    let protocol = loop {
        if let Some(protocol) = Protocol::detect(&first) {
            break protocol;
        }
        let missing = HTTP2_PREFACE.len() - first.len();
        if (&mut reader)
            .take(missing as u64)
            .read_buf(&mut first)
            .await?
            == 0
        {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    Ok((protocol, Cursor::new(first).chain(reader)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_is_detected_from_the_first_bytes() {
        for (first, protocol) in [
            (&b""[..], None),
            (b"\x16", Some(Protocol::Tls)),
            (b"\x16\x03\x01", Some(Protocol::Tls)),
            (b"G", Some(Protocol::Http1)),
            (b"\x15", Some(Protocol::Http1)),
            (b"P", None),
            (b"PR", None),
            (b"PU", Some(Protocol::Http1)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Protocol::Http2)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", Some(Protocol::Http2)),
            (b"PRI * HTTP/2.0\r\nHost: localhost", Some(Protocol::Http1)),
            (b"pri", Some(Protocol::Http1)),
        ] {
            assert_eq!(Protocol::detect(first), protocol, "{first:?}");
        }
    }
}
